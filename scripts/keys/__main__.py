"""`npm run keys`: the keys that teams use, with their limits and budgets.

    npm run keys -- create team-a --models 'gpt-*' --rpm 60 --budget 25 --budget-duration 1mo
    npm run keys -- list [--stage dev] [--region us-east-1] [--json]
    npm run keys -- update team-a --rpm none
    npm run keys -- block team-a

Without --stage it works on the store of npm start, whether that runs or not. docs/keys.md has more.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from scripts.access.command_line import exit_code, parsed
from scripts.access.place import ROOT, open_place
from scripts.keys.command_line import command_line
from scripts.keys.commands import Records, new_key
from scripts.keys.printing import Command


def main(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    out: TextIO,
    err: TextIO,
    folder: Path = ROOT,
    clock: Callable[[], float] = time.time,
    make_key: Callable[[], str] = new_key,
) -> int:
    """Run one command and return the exit code. folder: of serverless.yml and .env."""

    def run() -> None:
        chosen = parsed(command_line(), arguments, environ)
        place = open_place(chosen, environ, folder)
        records = Records(place.store, clock, make_key)
        Command(chosen, records, place.settings, clock, out, err).run()

    return exit_code("keys", run, err)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout, sys.stderr))
