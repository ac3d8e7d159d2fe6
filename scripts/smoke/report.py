"""The table that the checks print (no I/O)."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.smoke.check import Result

NAME_WIDTH = 40


def heading() -> str:
    return f"{'check':{NAME_WIDTH}} result   first byte      total"


def row(result: Result) -> str:
    """One line, and another one for what went wrong."""
    verdict = "FAILED" if result.failure else "ok"
    first = "-" if result.first_byte_s is None else _milliseconds(result.first_byte_s)
    line = f"{result.name:{NAME_WIDTH}} {verdict:6} {first:>12} {_milliseconds(result.total_s):>10}"
    return f"{line}\n    {result.failure}" if result.failure else line


def summary(results: Sequence[Result]) -> str:
    failed = sum(bool(result.failure) for result in results)
    return f"{len(results)} checks, {failed or 'none'} failed"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
