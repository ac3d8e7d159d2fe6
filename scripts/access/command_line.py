"""The command line of a tool: it says what it expects, and repeats nothing that may be a key."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.errors import ConfigurationError
from scripts.access.errors import ToolError
from scripts.access.shell import Shell
from sluice.errors import SettingsError, StateUnavailable

OF_A_VALUE = "argument "
QUOTE = "'"
"""argparse quotes what it was given, and that may be a key."""
OF_A_CHOICE = ": invalid choice: "
CHOICES = "choose from "
UNKNOWN = "unrecognized arguments: "
NPMS_OWN = ("-h", "--help", "--json", "--yes")
"""Options that npm has, too: people set them for npm itself."""


class CommandLine(argparse.ArgumentParser):
    """Raises ToolError for a wrong command line."""

    hint = ""
    """A sentence that its errors end with."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Reject what is unknown here: for argparse only the whole command line has options."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(UNKNOWN)
        return found, unknown

    def error(self, message: str) -> Any:
        problem = message.removeprefix(OF_A_VALUE)
        name, is_choice, rest = problem.partition(OF_A_CHOICE)
        if is_choice:
            choices = rest.rpartition(CHOICES)[2].removesuffix(")").replace(QUOTE, "")
            problem = f"{name}: must be one of {choices}"
        if message.startswith(UNKNOWN):
            problem = "Unknown option or argument"
        if problem != message and QUOTE not in problem:
            advice = f"{problem}. All options: {self.prog} --help"
        else:
            advice = f"Usage: {' '.join(self.format_usage().removeprefix('usage: ').split())}"
        raise ToolError(f"{advice}. {self.hint}" if self.hint else advice)


def service_url(address: str) -> str:
    """The address of the service, without the /v1 with which SDKs have it."""
    return address.rstrip("/").removesuffix("/v1")


def parsed(parser: argparse.ArgumentParser, shell: Shell) -> argparse.Namespace:
    """Parse the command line. Raises ToolError.

    Without `--` before them, npm takes options for its own, and the tool would run without them:
    `npm run keys create team-a --rpm=60` would make a key without a limit.
    """
    script = f"npm run {shell.environ.get('npm_lifecycle_event')} --"
    taken = [name for name in _options(parser) if _has_npm(name, shell.environ)]
    if parser.prog == script and taken:
        raise ToolError(
            f"npm took {', '.join(dict.fromkeys(taken))} for options of its own. Write them after"
            f" --: {script} …"
        )
    return parser.parse_args(shell.arguments)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The options of a parser and of its commands that npm does not have."""
    for action in parser._actions:  # noqa: SLF001 -- argparse has no other list of them
        yield from (name for name in action.option_strings if name not in NPMS_OWN)
        if action.nargs == argparse.PARSER and isinstance(action.choices, dict):
            for command in action.choices.values():
                yield from _options(command)


def _has_npm(option: str, environ: Mapping[str, str]) -> bool:
    """Whether npm has an option. It completes names: for npm `--to` is `--token-description`."""
    variable = f"npm_config_{option.lstrip('-').replace('-', '_')}"
    is_long = option.startswith("--")
    return variable in environ or (is_long and any(name.startswith(variable) for name in environ))


def exit_code(name: str, run: Callable[[], None], shell: Shell) -> int:
    """Run a tool; say on one line why it failed."""
    try:
        run()
    except (ToolError, ConfigurationError) as error:
        failure = str(error)
    except (SettingsError, StateUnavailable) as error:
        failure = error.message
    else:
        return 0
    shell.err.write(f"{name}: {failure}\n")
    return 1
