"""Reading .env."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import ConfigurationError
from local.project.dotenv_file import parse_dotenv, read_dotenv


def test_variables_are_read_literally() -> None:
    text = "\ufeffA=1\n# a comment\n\nexport B='two words'\nC=\nD\nE=\"$HOME\nis kept\"\n"
    assert parse_dotenv(text, ".env") == {
        "A": "1",
        "B": "two words",
        "C": "",
        "E": "$HOME\nis kept",
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\nB hush\n", 2),
        ("A='hush\n", 1),
        ("A='1'\nB='1\n2'\nC='hush' or\n", 4),
        ("=hush", 1),
        ("A=1\nB=hush\0\n", 2),
    ],
)
def test_invalid_line_is_named_but_not_quoted(text: str, line: int) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"^a/\.env, line {line}: must be NAME=value"
    ) as caught:
        parse_dotenv(text, "a/.env")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "."])
def test_missing_file_has_no_variables(tmp_path: Path, name: str) -> None:
    assert read_dotenv(tmp_path / name) == {}


def test_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(ConfigurationError, match=r"\.env must be UTF-8"):
        read_dotenv(path)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.symlink_to(path)  # a circle
    with pytest.raises(ConfigurationError, match=r"Cannot read .*\.env: "):
        read_dotenv(path)
