"""The options of `npm run cache`."""

from __future__ import annotations

import argparse

from scripts.access.command_line import CommandLine
from scripts.access.place import add_options

PURPOSES = {
    "stats": "show how much is kept, and since when",
    "clear": "remove all answers that are kept",
}


def command_line() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="npm run cache --",
        description="What the answer cache keeps. docs/cache.md has more.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command, purpose in PURPOSES.items():
        own = commands.add_parser(command, help=purpose, description=purpose, allow_abbrev=False)
        add_options(own, "the cache of npm start on this machine")
        own.add_argument("--json", action="store_true", help="print JSON instead of text")
        if command == "clear":
            own.add_argument("--yes", action="store_true", help="do not ask first")
    return parser
