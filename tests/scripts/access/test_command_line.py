from __future__ import annotations

import argparse
import io

import pytest

from scripts.access.command_line import CommandLine, parsed
from scripts.access.errors import ToolError
from scripts.access.shell import Shell


def parser() -> argparse.ArgumentParser:
    made = CommandLine(prog="npm run tool --", allow_abbrev=False)
    commands = made.add_subparsers(dest="command", required=True)
    for command in ("make", "list"):
        own = commands.add_parser(command, allow_abbrev=False)
        own.add_argument("--json", action="store_true")
        own.add_argument("-o", dest="file")
    own.add_argument("--per-minute", choices=("one", "two"))
    return made


def shell(arguments: list[str], environ: dict[str, str]) -> Shell:
    return Shell(arguments, environ, io.StringIO(), io.StringIO(), io.StringIO())


@pytest.mark.parametrize(
    "variable", ["npm_config_per_minute", "npm_config_per_minute_or_more", "npm_config_o"]
)
def test_options_that_npm_took_are_rejected(variable: str) -> None:
    environ = {"npm_lifecycle_event": "tool", variable: "60"}
    with pytest.raises(ToolError, match=r"npm took -.* Write them after --: npm run tool -- …"):
        parsed(parser(), shell(["make"], environ))


@pytest.mark.parametrize(
    "environ",
    [
        {"npm_lifecycle_event": "tool", "npm_config_json": "true", "npm_config_omit": "dev"},
        {"npm_lifecycle_event": "test", "npm_config_per_minute": "60"},
        {"npm_config_per_minute": "60"},
    ],
)
def test_variables_of_npm_itself_or_of_another_script_count_for_nothing(
    environ: dict[str, str],
) -> None:
    assert parsed(parser(), shell(["make"], environ)).command == "make"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sk-key"], "command: must be one of make, list. All options: npm run tool -- --help"),
        (["list", "--per-minute", "sk-key"], "--per-minute: must be one of one, two. All options"),
        (
            ["list", "sk-key"],
            "Unknown option or argument. All options: npm run tool -- list --help",
        ),
        ([], "Usage: npm run tool -- [-h] "),
    ],
)
def test_wrong_command_line_is_named_and_never_repeated(arguments: list[str], said: str) -> None:
    with pytest.raises(ToolError) as raised:
        parsed(parser(), shell(arguments, {}))
    assert str(raised.value).startswith(said)
    assert "sk-key" not in str(raised.value)
