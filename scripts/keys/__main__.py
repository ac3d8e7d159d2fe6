"""`npm run keys`: the keys that teams use, with their limits and budgets.

    npm run keys -- create team-a --models 'gpt-*' --rpm 60 --budget 25 --budget-duration 1mo
    npm run keys -- list [--stage dev] [--region us-east-1] [--json]
    npm run keys -- update team-a --rpm none
    npm run keys -- block team-a

Without --stage it works on the store of npm start, whether that runs or not. docs/keys.md has more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from scripts.access.command_line import exit_code, parsed
from scripts.access.place import open_place
from scripts.access.shell import Shell, shell_of_process
from scripts.keys.command_line import command_line
from scripts.keys.commands import Records, new_key
from scripts.keys.printing import Command


def main(shell: Shell, make_key: Callable[[], str] = new_key) -> int:
    """Run one command and return the exit code."""

    def run() -> None:
        chosen = parsed(command_line(), shell)
        place = open_place(chosen, shell)
        records = Records(place.store, shell.clock, make_key)
        Command(chosen, records, place.settings, shell).run()

    return exit_code("keys", run, shell)


if __name__ == "__main__":
    sys.exit(main(shell_of_process()))
