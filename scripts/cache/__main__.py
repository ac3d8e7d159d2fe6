"""`npm run cache`: what the answer cache keeps, and how to empty it.

    npm run cache -- stats [--stage dev] [--region us-east-1] [--json]
    npm run cache -- clear [--stage dev] [--yes]

Without --stage it works on the cache of npm start. docs/cache.md has more.
"""

from __future__ import annotations

import argparse
import sys

from scripts.access.command_line import exit_code, parsed
from scripts.access.errors import ToolError
from scripts.access.shell import Shell, shell_of_process
from scripts.cache.command_line import command_line
from scripts.cache.entries import documented, stats_of, written
from scripts.cache.place import Place, open_place
from scripts.cache.savings import as_text, savings_of
from sluice.access.daily_usage import PREFIX

AGREED = ("y", "yes")


def main(shell: Shell) -> int:
    """Run one command and return the exit code."""

    def run() -> None:
        chosen = parsed(command_line(), shell)
        place = open_place(chosen, shell)
        if chosen.command == "stats":
            _print_stats(chosen, place, shell)
        else:
            _clear(chosen, place, shell)

    return exit_code("cache", run, shell)


def _print_stats(chosen: argparse.Namespace, place: Place, shell: Shell) -> None:
    now = shell.clock()
    stats = stats_of(place.cache.entries(), now)
    savings = savings_of(place.counts.items(PREFIX), now)
    if chosen.json:
        found = {**documented(stats), "usage": savings._asdict()}
        shell.print_json({"backend": place.backend, "place": place.name, **found})
    else:
        shell.out.write(f"Answers kept in {place.name} ({place.backend})\n\n{written(stats)}")
        shell.out.write(f"\n{as_text(savings)}")


def _clear(chosen: argparse.Namespace, place: Place, shell: Shell) -> None:
    if not chosen.yes:
        if not shell.stdin.isatty():
            raise ToolError(
                "clear removes all answers that are kept. Confirm it: npm run cache -- clear --yes"
            )
        shell.err.write(f"Remove all answers kept in {place.name}? [y/N] ")
        shell.err.flush()
        if shell.stdin.readline().strip().lower() not in AGREED:
            raise ToolError("Nothing was removed.")
    count = place.cache.clear()
    if chosen.json:
        shell.print_json({"backend": place.backend, "place": place.name, "removed": count})
    else:
        shell.out.write(f"Removed {count:,} {'answer' if count == 1 else 'answers'}.\n")


if __name__ == "__main__":
    sys.exit(main(shell_of_process()))
