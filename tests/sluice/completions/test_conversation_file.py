"""The chat log's file: whole lines from several processes, rotated, for its owner only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path, PosixPath

from sluice.completions.conversation_file import KEPT_FILES, append_line
from tests.child_environment import LAYERS, inherited

PROCESSES, LINES, MAX_BYTES = 4, 60, 20_000
WRITER = """
import sys
from pathlib import Path
from sluice.completions.conversation_file import append_line

path, name, count, max_bytes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for number in range(count):
    append_line(path, f"{name} {number} {name * 500}\\n".encode(), max_bytes, 1000)
"""


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_file_and_its_folder_are_made_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "chat.jsonl"
    append_line(path, b"one\n")
    assert (path.read_bytes(), mode_of(path)) == (b"one\n", 0o600)
    assert mode_of(path.parent) == 0o700
    path.chmod(0o644)
    append_line(path, b"two\n")
    assert (path.read_bytes(), mode_of(path)) == (b"one\ntwo\n", 0o600)


def test_what_is_no_file_keeps_its_mode(tmp_path: Path) -> None:
    """Such as /dev/null, which everyone writes to."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    path.chmod(0o666)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    append_line(path, b"one\n")
    assert (os.read(reader, 9), mode_of(path)) == (b"one\n", 0o666)
    os.close(reader)


def test_link_stays_one_and_the_file_that_it_names_is_rotated(tmp_path: Path) -> None:
    link, folder = tmp_path / "chat.jsonl", tmp_path / "elsewhere"
    link.symlink_to(folder / "chats")
    for number in range(3):
        append_line(link, f"{number}\n".encode(), max_bytes=2, kept=2)
    assert [file.name for file in tmp_path.iterdir() if file.is_symlink()] == ["chat.jsonl"]
    found = {file.name: file.read_text() for file in folder.iterdir()}
    assert found == {"chats": "2\n", "chats.1": "1\n", "chats.2": "0\n"}


def test_full_file_is_rotated_and_the_oldest_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    for number in range(10):
        append_line(path, f"{number}\n".encode(), max_bytes=4, kept=3)
    found = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert found == {
        "chat.jsonl": "8\n9\n",
        "chat.jsonl.1": "6\n7\n",
        "chat.jsonl.2": "4\n5\n",
        "chat.jsonl.3": "2\n3\n",
    }
    assert {mode_of(file) for file in tmp_path.iterdir()} == {0o600}


def test_line_larger_than_a_file_has_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    for line in (b"a\n", b"long" * 10 + b"\n", b"b\n"):
        append_line(path, line, max_bytes=8)
    found = [file.read_bytes() for file in sorted(tmp_path.iterdir())]
    assert found == [b"b\n", b"long" * 10 + b"\n", b"a\n"]
    assert len(found) <= KEPT_FILES


class RotatedMeanwhile(PosixPath):
    """Another process rotates the file between a writer's opening and locking of it."""

    is_rotated = False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        if not self.is_rotated:
            self.is_rotated = True
            Path(self).replace(f"{self}.1")
        return super().stat(follow_symlinks=follow_symlinks)


def test_line_goes_to_the_new_file_if_another_process_rotates_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    append_line(path, b"one\n")
    append_line(RotatedMeanwhile(path), b"two\n")
    found = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert found == {"chat.jsonl": b"two\n", "chat.jsonl.1": b"one\n"}


def test_line_after_half_a_line_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_bytes(b'{"half')  # its process was killed
    append_line(path, b"whole\n")
    assert path.read_bytes() == b'{"half\nwhole\n'


def test_processes_at_once_lose_and_mix_no_line(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    environ = {**inherited("PATH"), "PYTHONPATH": LAYERS}
    arguments = [sys.executable, "-c", WRITER, str(path)]
    names = "abcdefgh"[:PROCESSES]
    writers = [
        subprocess.Popen([*arguments, name, str(LINES), str(MAX_BYTES)], env=environ)
        for name in names
    ]
    assert [writer.wait() for writer in writers] == [0] * PROCESSES
    files = list(tmp_path.iterdir())
    assert len(files) > 1
    assert all(file.stat().st_size <= MAX_BYTES for file in files)
    found = Counter(line for file in files for line in file.read_text().splitlines())
    written = [f"{name} {number} {name * 500}" for name in names for number in range(LINES)]
    assert found == Counter(written)
