from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import ConfigurationError
from local.project.chat_file import check_chat_file


def test_file_that_can_be_written_passes_and_keeps_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "new" / "chat.jsonl"
    check_chat_file(str(file))
    file.write_text("{}\n", "utf-8")
    check_chat_file(str(file))
    check_chat_file("")
    assert (file.read_text("utf-8"), file.stat().st_mode & 0o777) == ("{}\n", 0o600)


def test_file_that_cannot_be_written_is_named_with_the_reason(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.touch()
    for name, reason in ((tmp_path, "Is a directory"), (taken / "chat.jsonl", "Not a directory")):
        with pytest.raises(ConfigurationError) as raised:
            check_chat_file(str(name))
        assert str(raised.value) == (
            f"LOG_CHAT_FILE must be a file that can be written (got {name}: {reason})."
            " Name another file, or set LOG_CHAT=false."
        )
