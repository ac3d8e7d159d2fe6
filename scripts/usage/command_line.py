"""The options of `npm run usage`."""

from __future__ import annotations

import argparse
import time
from datetime import date
from pathlib import Path

from scripts.access.command_line import CommandLine
from scripts.access.errors import ToolError
from scripts.access.place import add_options
from scripts.usage.report import BY

DEFAULT_DAYS = 30
DAY = "%Y-%m-%d"


def command_line() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="npm run usage --",
        allow_abbrev=False,
        description="Print what was used: requests, tokens and USD.",
    )
    add = parser.add_argument
    groups = f"what to group by: any of {','.join(BY)} (default: key)"
    add("--by", type=_groups, default=("key",), metavar="GROUPS", help=groups)
    first = f"first day, in UTC (default: of the last {DEFAULT_DAYS})"
    add("--from", type=_day, dest="first", metavar="YYYY-MM-DD", help=first)
    add("--to", type=_day, dest="last", metavar="YYYY-MM-DD", help="last day (default: today)")
    add("--chart", type=Path, metavar="FILE.svg", help="write a picture, too")
    add_options(parser)
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON instead of a table")
    output.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    replay = "count requests from log lines on standard input that have `uncounted`"
    output.add_argument("--replay", action="store_true", help=replay)
    return parser


def period(chosen: argparse.Namespace, now: float) -> tuple[str, str]:
    """The first and the last day of a report. Raises ToolError."""
    last = chosen.last or time.strftime(DAY, time.gmtime(now))
    first = chosen.first or _first_day(last)
    if first > last:
        raise ToolError(f"--from must not be after --to (got {first} and {last}).")
    return first, last


def first_day(now: float) -> str:
    """The first of the DEFAULT_DAYS up to a Unix time."""
    return _first_day(time.strftime(DAY, time.gmtime(now)))


def _first_day(last: str) -> str:
    return date.fromordinal(
        max(date.fromisoformat(last).toordinal() - DEFAULT_DAYS + 1, 1)
    ).isoformat()


def _groups(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= BY.keys() or len(set(names)) != len(names):
        raise argparse.ArgumentTypeError(f"must be one or several of {','.join(BY)}")
    return names


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError("must be a day such as 2026-11-30") from None
