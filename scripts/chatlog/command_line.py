"""The options of `npm run chatlog`."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path

from scripts.access.command_line import CommandLine
from scripts.access.place import add_options

TARGETS = ("jsonl", "openai-forward", "finetune")
DEFAULT_SINCE = "1d"
UNITS_S = {"m": 60, "h": 3600, "d": 86_400}

EPILOG = """\
targets:
  jsonl            our own lines, one conversation each
  openai-forward   one array of entries, as `aifd convert` writes it
  finetune         {"messages": [...], "tools": [...]} lines for OpenAI's fine-tuning;
                   whole chats only
"""


def command_line() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="npm run chatlog --",
        description="What LOG_CHAT=true has logged. docs/chat-log.md has more.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    purpose = "convert a chat log to another format"
    own = commands.add_parser(
        "convert",
        help=purpose,
        description=f"{purpose.capitalize()}. Counts go to standard error.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = own.add_argument
    files = "chat log of Sluice, or file or folder of openai-forward (default: LOG_CHAT_FILE)"
    add("--from", type=Path, dest="source", metavar="FILE", help=files)
    add_options(own, "a file")
    since = f"with --stage: 30m, 12h, 7d or 2026-11-30 (default: {DEFAULT_SINCE})"
    add("--since", type=_since, metavar="TIME", help=since)
    add("--to", choices=TARGETS, default=TARGETS[0], help="format (default: %(default)s)")
    output = "file to write, mode 600 (default: standard output)"
    add("-o", "--output", type=Path, metavar="FILE", help=output)
    return parser


def since_ms(chosen: argparse.Namespace, now: float) -> int:
    """The time to begin with, in Unix milliseconds."""
    since: datetime | int = chosen.since or _since(DEFAULT_SINCE)
    start = now - since if isinstance(since, int) else since.timestamp()
    return int(start * 1000)


def _since(text: str) -> datetime | int:
    """A day in UTC, or seconds before now."""
    found = re.fullmatch(r"(?a)(\d{1,6})([mhd])", text)
    if found:
        return int(found[1]) * UNITS_S[found[2]]
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        rule = "must be a length such as 30m, 12h or 7d, or a day such as 2026-11-30"
        raise argparse.ArgumentTypeError(rule) from None
