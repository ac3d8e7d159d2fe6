"""The chat log's file on one machine: several processes write to it, and one of them rotates it."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_BYTES = 50 * 1000 * 1000
"""Size from which on a file is rotated. A single longer line makes a longer file."""
KEPT_FILES = 5
"""Rotated files that are kept, `.1` the newest: 300 MB with the current one."""
OWNER_ONLY = 0o600
"""Nobody else on the machine may read what was said."""


def append_line(
    path: Path, line: bytes, max_bytes: int = MAX_FILE_BYTES, kept: int = KEPT_FILES
) -> None:
    """Add a line, which ends in a line feed, in one piece. Raises OSError.

    A link stays one: the file that it names is rotated.
    """
    if os.path.islink(path):  # noqa: PTH114 -- for each line
        path = path.resolve()
    while True:
        with _locked(path) as file:
            if file is None:
                continue
            size = os.fstat(file).st_size
            if size and size + len(line) > max_bytes:
                _rotate(path, kept)
                continue
            _write(file, line, size)
            return


@contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """The open file, locked; None if another process has rotated it meanwhile."""
    file = _opened(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file if _is_still_at(path, file) else None
    finally:
        os.close(file)


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        file = os.open(path, flags, OWNER_ONLY)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, flags, OWNER_ONLY)
    mode = os.fstat(file).st_mode
    if mode & 0o077 and stat.S_ISREG(mode):  # made by something else; /dev/null is everyone's
        os.fchmod(file, OWNER_ONLY)
    return file


def _is_still_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _rotate(path: Path, kept: int) -> None:
    names = [path, *(Path(f"{path}.{number}") for number in range(1, kept + 1))]
    for newer, older in reversed(list(pairwise(names))):
        with suppress(FileNotFoundError):
            newer.replace(older)


def _write(file: int, line: bytes, size: int) -> None:
    if size and os.pread(file, 1, size - 1) != b"\n":
        line = b"\n" + line  # a process was killed within its line
    while line:
        line = line[os.write(file, line) :]
