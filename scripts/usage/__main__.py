"""`npm run usage`: requests, tokens and cost, by key, model and day.

    npm run usage -- [--stage dev] [--by key,model] [--from 2026-11-01] [--to 2026-11-30]
    npm run usage -- --by day --chart usage.svg
    npm run usage -- --csv > usage.csv
    npm run usage -- --replay < lines-of-the-log

Without --stage it reads the store of npm start. docs/keys.md has more.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.access.command_line import exit_code, parsed
from scripts.access.errors import ToolError
from scripts.access.place import Place, open_place
from scripts.access.shell import Shell, shell_of_process
from scripts.usage.command_line import command_line, period
from scripts.usage.replay import replay
from scripts.usage.report import grouped
from scripts.usage.written import Report, as_chart, as_csv, as_json, as_table
from sluice.access.daily_usage import PREFIX, usages


def main(shell: Shell) -> int:
    """Run the command and return the exit code."""

    def run() -> None:
        chosen = parsed(command_line(), shell)
        place = open_place(chosen, shell)
        if chosen.replay:
            _replay(place, shell)
        else:
            _report(chosen, place, shell)

    return exit_code("usage", run, shell)


def _report(chosen: argparse.Namespace, place: Place, shell: Shell) -> None:
    first, last = period(chosen, shell.clock())
    found = usages(place.store.items(PREFIX))
    chosen_days = (usage for usage in found if first <= usage.day <= last)
    report = Report(first, last, chosen.by, grouped(chosen_days, chosen.by))
    write = as_json if chosen.json else as_csv if chosen.csv else as_table
    shell.out.write(write(report))
    if chosen.chart:
        _write(chosen.chart, as_chart(report))
        shell.err.write(f"Wrote {chosen.chart}.\n")


def _write(file: Path, picture: str) -> None:
    try:
        file.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise ToolError(f"The chart {file} could not be written: {error.strerror}.") from error


def _replay(place: Place, shell: Shell) -> None:
    if shell.stdin.isatty():
        raise ToolError("--replay reads log lines from a pipe. docs/keys.md shows the command.")
    done = replay(place.store, shell.stdin, shell.clock())
    shell.out.write(f"Counted {done.counted} requests; {done.known} had been counted before.\n")
    if done.damaged:
        raise ToolError(
            f"Lines that could not be read: {done.damaged}. Pass whole lines of the functions'"
            ' logs, each with {"…", "uncounted": …}.'
        )


if __name__ == "__main__":
    sys.exit(main(shell_of_process()))
