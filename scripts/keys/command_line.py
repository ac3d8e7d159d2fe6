"""The options of `npm run keys`, and what their values mean."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from scripts.access.command_line import CommandLine
from scripts.access.errors import ToolError
from scripts.access.place import add_options
from sluice.access.durations import parts
from sluice.access.records import MICRO
from sluice.access.shards import MAX_SHARDS
from sluice.errors import InvalidValue
from sluice.setting_values import texts

NONE = "none"
"""Removes a limit."""
ALIAS = re.compile(r"(?!sk-)[\w.:/@+-]{1,100}")
ARN = re.compile(
    r"arn:[\w-]+:(?:iam::\d{12}:(?:root|(?:role|user)/\S{0,999}[^\s/])"
    r"|sts::\d{12}:(?:assumed-role|federated-user)/\S{0,999}[^\s/])",
    re.ASCII,
)
MAX_NUMBER = 10**12
MAX_METADATA_CHARACTERS = 4096
PURPOSES = {
    "create": "make a key, and show it once",
    "list": "list all records",
    "show": "show a record and what it has used",
    "update": "change a record's limits",
    "block": "refuse a key from now on",
    "unblock": "accept a blocked key again",
    "rotate": "replace a key by a new one; the old one ends at once",
    "delete": "delete a record and its key",
}
WRITTEN = ("create", "update")


def command_line() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="npm run keys --",
        description="Keys for teams, with limits and budgets. docs/keys.md has more.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command, purpose in PURPOSES.items():
        own = commands.add_parser(command, help=purpose, description=purpose, allow_abbrev=False)
        if command != "list":
            own.add_argument("name", nargs="?", metavar="ALIAS", type=_alias, help="its name")
            own.add_argument("--alias", type=_alias, help="the same")
        if command in WRITTEN:
            _add_fields(own)
        if command == "create":
            own.add_argument(
                "--shards",
                type=_shards,
                default=argparse.SUPPRESS,
                metavar="VALUE",
                help="items that share the counting, for a key with over 10 requests a second",
            )
            own.add_argument("--principal", type=_arn, help="an IAM role or user instead of a key")
        add_options(own)
        own.add_argument("--json", action="store_true", help="print JSON instead of text")
    return parser


def alias_of(chosen: argparse.Namespace) -> str:
    """The alias, given with or without its option. Raises ToolError."""
    given = {name for name in (chosen.name, chosen.alias) if name}
    if len(given) != 1:
        raise ToolError(f"Which record? Write: npm run keys -- {chosen.command} ALIAS")
    return str(given.pop())


def fields_of(chosen: argparse.Namespace) -> dict[str, Any]:
    """The fields of a record that the options set."""
    return {n: value for n, value in vars(chosen).items() if n in FIELDS or n == "shards"}


def _add_fields(parser: argparse.ArgumentParser) -> None:
    for field, (option, read, meaning) in FIELDS.items():
        # Without a default: an option that is not given changes nothing.
        parser.add_argument(
            option, dest=field, type=read, default=argparse.SUPPRESS, help=meaning, metavar="VALUE"
        )


def _alias(text: str) -> str:
    if not ALIAS.fullmatch(text):
        raise argparse.ArgumentTypeError(
            "an alias must have 1 to 100 letters, digits and signs of .:/@+-_ and must not begin"
            " with sk-, as a key does"
        )
    return text


def _arn(text: str) -> str:
    if not ARN.fullmatch(text):
        raise argparse.ArgumentTypeError(
            "must be the ARN of an IAM role or user, such as arn:aws:iam::123456789012:role/team"
        )
    return text


def _whole(text: str) -> int | None:
    if text == NONE:
        return None
    if not re.fullmatch(r"(?a)[1-9]\d{0,12}", text) or int(text) > MAX_NUMBER:
        raise argparse.ArgumentTypeError("must be a whole number, at least 1, or none")
    return int(text)


def _shards(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:4]) <= MAX_SHARDS:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MAX_SHARDS}")
    return int(text)


def _budget(text: str) -> int | None:
    """Micro-USD."""
    if text == NONE:
        return None
    try:
        micro = Decimal(text) * MICRO
    except InvalidOperation:
        micro = Decimal(-1)
    if not (micro.is_finite() and 0 <= micro <= MAX_NUMBER and micro == int(micro)):
        rule = "must be an amount in USD, such as 25 or 0.50, with at most 6 decimals, or none"
        raise argparse.ArgumentTypeError(rule)
    return int(micro)


def _length(text: str) -> str | None:
    if text == NONE:
        return None
    try:
        parts(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, or none") from None
    return text


def _patterns(text: str) -> tuple[str, ...]:
    if text == NONE:
        return ()
    try:
        found = texts(text)
    except InvalidValue:
        found = ()
    if not found:  # such as "$MODELS" without a value, which must not allow all
        rule = "must be names or shell patterns between commas, such as gpt-*,o3, or none"
        raise argparse.ArgumentTypeError(rule)
    return found


def _metadata(text: str) -> str:
    try:
        document = {} if text == NONE else json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or len(text) > MAX_METADATA_CHARACTERS:
        rule = f"must be a JSON object of at most {MAX_METADATA_CHARACTERS} characters, or none"
        raise argparse.ArgumentTypeError(rule)
    return json.dumps(document)


FIELDS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "models": ("--models", _patterns, "models it may ask for: gpt-*,o3 (default: all)"),
    "prompt_templates": ("--prompt-templates", _patterns, "prompt templates it may use"),
    "rpm_limit": ("--rpm", _whole, "requests a minute"),
    "tpm_limit": ("--tpm", _whole, "tokens a minute"),
    "max_parallel_requests": ("--parallel", _whole, "answers at once"),
    "max_budget": ("--budget", _budget, "USD that it may spend"),
    "budget_duration": ("--budget-duration", _length, "within 1d, 7d or 1mo (default: ever)"),
    "duration": ("--expires", _length, "time from now until it expires: 12h, 30d, 1mo"),
    "metadata": ("--metadata", _metadata, 'your own JSON: {"cost_center": 7}'),
}
"""The option of each field of a record, its parser and its meaning. `none` removes a value."""
