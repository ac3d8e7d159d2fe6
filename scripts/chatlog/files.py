"""The files of a chat log: ours with those that were rotated, or a folder of openai-forward's."""

from __future__ import annotations

import fcntl
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from scripts.access.errors import ToolError
from scripts.chatlog.chat_lines import ChatLine, conversations
from scripts.chatlog.forward_logs import forward_conversations, is_forward_log
from scripts.chatlog.tally import Tally

FOLDERS = ("*.log", "chat/*.log", "*/chat/*.log", "Log/*/chat/*.log")
"""Where openai-forward's logs are below a folder: its chat folder, or one above. The first that
has some counts."""


def conversations_of(path: Path, tally: Tally) -> Iterator[ChatLine]:
    """The conversations of a file or folder. Raises ToolError."""
    if not (path.is_file() or path.is_dir()):
        raise ToolError(f"{path} must be a file or a folder: lines are read twice.")
    try:
        files = _files_in(path) if path.is_dir() else [path]
        if _is_forward_log(files):
            yield from forward_conversations(files, tally)
        else:
            for file in files:
                yield from conversations(_lines(file), tally)
    except OSError as error:
        name = error.filename or path
        raise ToolError(f"{name} could not be read: {error.strerror}.") from error


def _files_in(folder: Path) -> list[Path]:
    for pattern in FOLDERS:
        # The names of rotated files have their time.
        if files := sorted(folder.glob(pattern)):
            return files
    raise ToolError(f"{folder} has no *.log files, as openai-forward writes them to Log/*/chat/.")


def _is_forward_log(files: Sequence[Path]) -> bool:
    for file in files:
        with file.open("rb") as handle:
            if first := next((line for line in handle if line.strip()), b""):
                return is_forward_log(first)
    return False


def _lines(file: Path) -> Iterator[str]:
    """The lines of a file, after those of the files it was rotated to."""
    file = file.resolve()  # the file that a link names is rotated
    with ExitStack() as opened:
        current = opened.enter_context(file.open("rb"))
        fcntl.flock(current, fcntl.LOCK_SH)  # no file is renamed until all are open
        handles = [opened.enter_context(each.open("rb")) for each in _rotated(file)]
        end = os.fstat(current.fileno()).st_size
        fcntl.flock(current, fcntl.LOCK_UN)
        # What follows that end may be half a line, which is just being written.
        for line in itertools.chain(*handles, _until(end, current)):
            if line.strip():
                yield line.decode("utf-8", "replace")


def _until(end: int, lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines up to so many bytes."""
    for line in lines:
        end -= len(line)
        if end < 0:
            return
        yield line


def _rotated(file: Path) -> list[Path]:
    """The files that it was rotated to, the oldest first."""
    numbered = re.compile(rf"{re.escape(file.name)}\.(\d+)")
    found = [(numbered.fullmatch(each.name), each) for each in file.parent.iterdir()]
    return [each for match, each in sorted(found, key=_number, reverse=True) if match]


def _number(found: tuple[re.Match[str] | None, Path]) -> int:
    return int(found[0][1]) if found[0] else 0
