"""`npm run cache`: what the answer cache keeps, and how to empty it.

    npm run cache -- stats [--stage dev] [--region us-east-1] [--json]
    npm run cache -- clear [--stage dev] [--yes]

Without --stage it works on the cache of npm start. docs/cache.md has more.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from scripts.access.command_line import exit_code, parsed
from scripts.access.errors import ToolError
from scripts.access.place import ROOT
from scripts.cache.command_line import command_line
from scripts.cache.entries import documented, stats_of, written
from scripts.cache.place import Place, open_place
from scripts.cache.savings import as_text, savings_of
from sluice.access.daily_usage import PREFIX

AGREED = ("y", "yes")


def main(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    stdin: TextIO,
    out: TextIO,
    err: TextIO,
    folder: Path = ROOT,
    clock: Callable[[], float] = time.time,
) -> int:
    """Run one command and return the exit code. folder: of serverless.yml and .env."""

    def run() -> None:
        chosen = parsed(command_line(), arguments, environ)
        place = open_place(chosen, environ, folder, clock)
        if chosen.command == "stats":
            _print_stats(chosen, place, out, clock())
        else:
            _clear(chosen, place, stdin, out, err)

    return exit_code("cache", run, err)


def _print_stats(chosen: argparse.Namespace, place: Place, out: TextIO, now: float) -> None:
    stats = stats_of(place.cache.entries(), now)
    savings = savings_of(place.counts.items(PREFIX), now)
    if chosen.json:
        found = {**documented(stats), "usage": savings._asdict()}
        _print_json({"backend": place.backend, "place": place.name, **found}, out)
    else:
        out.write(f"Answers kept in {place.name} ({place.backend})\n\n{written(stats)}")
        out.write(f"\n{as_text(savings)}")


def _clear(
    chosen: argparse.Namespace, place: Place, stdin: TextIO, out: TextIO, err: TextIO
) -> None:
    if not chosen.yes:
        if not stdin.isatty():
            raise ToolError(
                "clear removes all answers that are kept. Confirm it: npm run cache -- clear --yes"
            )
        err.write(f"Remove all answers kept in {place.name}? [y/N] ")
        err.flush()
        if stdin.readline().strip().lower() not in AGREED:
            raise ToolError("Nothing was removed.")
    count = place.cache.clear()
    if chosen.json:
        _print_json({"backend": place.backend, "place": place.name, "removed": count}, out)
    else:
        out.write(f"Removed {count:,} {'answer' if count == 1 else 'answers'}.\n")


def _print_json(document: dict[str, Any], out: TextIO) -> None:
    out.write(f"{json.dumps(document, indent=2)}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdin, sys.stdout, sys.stderr))
