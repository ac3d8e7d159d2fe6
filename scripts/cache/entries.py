"""What the tool needs of a cache: sqlite.py, lmdb.py and dynamodb.py have it. No I/O here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from scripts.access.errors import ToolError
from sluice.errors import StateUnavailable


class Entry(NamedTuple):
    """An answer that is kept. size: in bytes, compressed. Times are Unix time."""

    size: int
    stored_at: int
    expires_at: int


class CacheEntries(Protocol):
    """The entries of one cache. Every method raises ToolError."""

    def entries(self) -> Iterable[Entry]:
        """All of them, those that have expired too."""

    def clear(self) -> int:
        """Remove all; returns how many they were."""


class Stats(NamedTuple):
    """entries, oldest, newest: of those that have not expired. size: of all, in bytes."""

    entries: int
    expired: int
    size: int
    oldest: str | None
    newest: str | None


def stats_of(found: Iterable[Entry], now: float) -> Stats:
    """The sums, at a Unix time."""
    entries = list(found)
    stored = [entry.stored_at for entry in entries if entry.expires_at > now]
    return Stats(
        entries=len(stored),
        expired=len(entries) - len(stored),
        size=sum(entry.size for entry in entries),
        oldest=_moment(min(stored)) if stored else None,
        newest=_moment(max(stored)) if stored else None,
    )


def documented(stats: Stats) -> dict[str, Any]:
    """For programs."""
    return {("bytes" if name == "size" else name): v for name, v in stats._asdict().items()}


def written(stats: Stats) -> str:
    """For people."""
    rows = {
        "entries": f"{stats.entries:,}",
        "expired": f"{stats.expired:,}",
        "bytes": f"{stats.size:,}",
        "oldest": stats.oldest or "-",
        "newest": stats.newest or "-",
    }
    return "".join(f"{name:10}{value}\n" for name, value in rows.items())


@contextmanager
def tool_errors(path: str) -> Iterator[None]:
    """A failure of the file at `path` becomes a ToolError."""
    try:
        yield
    except StateUnavailable as error:
        raise ToolError(
            f"The cache {path} cannot be used ({error.__cause__}). If it is damaged, remove the"
            " file while nothing runs: it only holds answers."
        ) from error


def _moment(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
