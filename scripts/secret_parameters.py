"""`npm run secrets`: the keys of a deployment, as SecureStrings of AWS's Parameter Store.

    npm run secrets -- set openai-api-key [--stage dev] [--region us-east-1]
    npm run secrets -- list
    npm run secrets -- delete forward-key

It reads a value from a prompt without echo, or from a pipe. It never prints one. It never reads
one from the command line, which the process list and the shell's history show.
https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html
"""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from collections.abc import Callable
from typing import Any

from local.project.environment import UserSettings
from scripts.access.aws_errors import AWS_ERRORS, code_of, remedy
from scripts.access.command_line import CommandLine, exit_code, parsed
from scripts.access.errors import ToolError
from scripts.access.place import (
    DEFAULT_REGION,
    DEFAULT_STAGE,
    SERVICE,
    session_of,
    stage_name,
    user_settings,
)
from scripts.access.shell import Shell, shell_of_process
from sluice.setting_values import InvalidValue, forward_keys, keys

Connect = Callable[[UserSettings, str], Any]
FORWARD_KEY = "forward-key"
NAMES = ("openai-api-key", FORWARD_KEY, "azure-openai-token")

FULL_NAME = re.compile(r"/[\w./-]+", re.ASCII)
KEYS = re.compile(r"[!#-\[\]-~]+")  # what sluice.settings accepts: keys, and commas between them
MAX_VALUE_BYTES = 4096
"""Maximum size of a standard parameter.
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""


REPLACED = "Running functions use the old value until Lambda replaces them.\n"
REMEDIES = {
    "ParameterNotFound": "`npm run secrets -- list` shows what is stored.",
    "AccessDeniedException": (
        "Check the credentials (AWS_PROFILE) and the permissions in docs/deploy.md."
    ),
}
HINT = "A value is never an argument: enter it at the prompt, or pipe it in."


def main(
    shell: Shell, ask: Callable[[str], str] = getpass.getpass, connect: Connect = session_of
) -> int:
    """Run the command and return the exit code.

    `ask` reads a line from the terminal without echo; `connect` makes a session of boto3.
    """

    def run() -> None:
        chosen = parsed(command_line(), shell)
        user = user_settings(chosen.stage, shell)
        _run(chosen, lambda: connect(user, chosen.region).client("ssm"), shell, ask)

    return exit_code("secrets", run, shell)


def command_line() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog="npm run secrets --",
        description="Keys of a deployment, in SSM. docs/deploy.md has more.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command, purpose in (
        ("set", "store a key, or replace it"),
        ("list", "list the names of stored keys"),
        ("delete", "delete a key"),
    ):
        own = commands.add_parser(command, help=purpose, allow_abbrev=False)
        if command == "set":
            own.hint = HINT
        if command != "list":
            own.add_argument("name", help=f"{', '.join(NAMES)}, or the full name of a parameter")
        stage = "default: %(default)s"
        own.add_argument("--stage", default=DEFAULT_STAGE, type=stage_name, help=stage)
        own.add_argument("--region", default=DEFAULT_REGION, help="default: %(default)s")
    return parser


def parameter_name(name: str, stage: str) -> str:
    """Return the full name of a key's parameter. Raises ToolError."""
    full = f"/{SERVICE}/{stage}/{name}" if name in NAMES else name
    if not FULL_NAME.fullmatch(full):
        raise ToolError(
            f"The name must be {', '.join(NAMES)} or the full name of a parameter, /such/as/this"
            " (it is not repeated here: it may be a key)."
        )
    return full


def checked_value(text: str, name: str) -> str:
    """Return one key, or several between commas, without a line end. Raises ToolError.

    name: the full name of the parameter. Forward keys must be longer than others.
    """
    value = text.strip()
    if not (value.startswith("[") or KEYS.fullmatch(value)):  # a JSON array is parsed below
        found = "it holds a character that no key has" if value else "it is empty"
        raise ToolError(f"The value must be one key, or several separated by commas ({found}).")
    parse = forward_keys if name.endswith(f"/{FORWARD_KEY}") else keys
    try:
        parse(value)  # as the functions will
    except InvalidValue as error:
        raise ToolError(f"The value {error.rule}. {error.hint}".strip()) from None
    if len(value) > MAX_VALUE_BYTES:
        raise ToolError(f"The value is too long: {len(value)} of {MAX_VALUE_BYTES} characters.")
    return value


def _run(
    chosen: argparse.Namespace,
    connect: Callable[[], Any],
    shell: Shell,
    ask: Callable[[str], str],
) -> None:
    region = chosen.region
    if chosen.command == "list":
        path = f"/{SERVICE}/{chosen.stage}"
        lines = _call(f"list {path} in {region}", lambda: _list(connect(), path))
        shell.out.writelines(lines or [f"Nothing is stored below {path} in {region}.\n"])
        return
    name = parameter_name(chosen.name, chosen.stage)
    if chosen.command == "set":
        text = ask(f"Value of {name}: ") if shell.stdin.isatty() else shell.stdin.read()
        value = checked_value(text, name)
        version = _call(f"store {name} in {region}", lambda: _set(connect(), name, value))
        shell.out.write(
            f"Stored {name} in {region}, version {version}.\n{REPLACED * (version > 1)}"
        )
    else:
        _call(f"delete {name} in {region}", lambda: connect().delete_parameter(Name=name))
        shell.out.write(f"Deleted {name} in {region}.\n")


def _call(action: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except AWS_ERRORS as error:
        code = code_of(error)
        raise ToolError(f"AWS did not {action} ({code}). {remedy(code, REMEDIES)}") from error


def _set(client: Any, name: str, value: str) -> int:
    stored = client.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    return int(stored["Version"])


def _list(client: Any, path: str) -> list[str]:
    filters = [{"Key": "Path", "Option": "Recursive", "Values": [path]}]
    pages = client.get_paginator("describe_parameters")
    found = pages.paginate(ParameterFilters=filters).search("Parameters")
    return [
        f"{each['Name']}  {each['Type']}  version {each['Version']}"
        f"  {each['LastModifiedDate']:%Y-%m-%d %H:%M}\n"
        for each in sorted(found, key=lambda parameter: str(parameter["Name"]))
    ]


if __name__ == "__main__":
    sys.exit(main(shell_of_process()))
