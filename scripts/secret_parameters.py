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
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import boto3
from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "shared" / "python"))

from scripts.access.command_line import parsed
from scripts.access.errors import ToolError
from sluice.setting_values import InvalidValue, forward_keys, keys

# As in serverless.yml.
SERVICE = "sluice"
DEFAULT_STAGE = "dev"
DEFAULT_REGION = "us-east-1"
FORWARD_KEY = "forward-key"
NAMES = ("openai-api-key", FORWARD_KEY, "azure-openai-token")

FULL_NAME = re.compile(r"/[\w./-]+", re.ASCII)
KEYS = re.compile(r"[!#-\[\]-~]+")  # what sluice.settings accepts: keys, and commas between them
MAX_VALUE_BYTES = 4096
"""Maximum size of a standard parameter.
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""


class SecretsError(Exception):
    """A fault that the user can fix. The text never holds what may be a secret."""


class CommandLine(argparse.ArgumentParser):
    """Says what it expects and repeats nothing that it got."""

    def error(self, message: str) -> Any:
        del message  # it quotes arguments, one of which may be a key
        usage = self.format_usage().removeprefix("usage: ").strip()
        raise SecretsError(f"Usage: {usage}. Enter a value at the prompt, or pipe it in.")


def main(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
    ask: Callable[[str], str] = getpass.getpass,
    connect: Callable[..., Any] = boto3.client,
) -> int:
    """Run the command and return the exit code.

    `ask` reads a line from the terminal without echo; `connect` works like boto3.client.
    """
    try:
        chosen = parsed(command_line(), arguments, environ)
        _run(chosen, connect, stdin, stdout, ask)
    except (SecretsError, ToolError) as error:
        stderr.write(f"secrets: {error}\n")
        return 1
    return 0


def command_line() -> argparse.ArgumentParser:
    parser = CommandLine(prog="npm run secrets --", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    for command, purpose in (
        ("set", "store a key, or replace it"),
        ("list", "list the names of stored keys"),
        ("delete", "delete a key"),
    ):
        own = commands.add_parser(command, help=purpose, allow_abbrev=False)
        if command != "list":
            own.add_argument("name", help=f"{', '.join(NAMES)}, or the full name of a parameter")
        own.add_argument("--stage", default=DEFAULT_STAGE, help="default: %(default)s")
        own.add_argument("--region", default=DEFAULT_REGION, help="default: %(default)s")
    return parser


def parameter_name(name: str, stage: str) -> str:
    """Return the full name of a key's parameter. Raises SecretsError."""
    full = f"/{SERVICE}/{stage}/{name}" if name in NAMES else name
    if not FULL_NAME.fullmatch(full):
        raise SecretsError(
            f"The name must be {', '.join(NAMES)} or the full name of a parameter, /such/as/this"
            " (it is not repeated here: it may be a key)."
        )
    return full


def checked_value(text: str, name: str) -> str:
    """Return one key, or several between commas, without a line end. Raises SecretsError.

    name: the full name of the parameter. Forward keys must be longer than others.
    """
    value = text.strip()
    if not (value.startswith("[") or KEYS.fullmatch(value)):  # a JSON array is parsed below
        found = "it holds a character that no key has" if value else "it is empty"
        raise SecretsError(f"The value must be one key, or several separated by commas ({found}).")
    parse = forward_keys if name.endswith(f"/{FORWARD_KEY}") else keys
    try:
        parse(value)  # as the functions will
    except InvalidValue as error:
        raise SecretsError(f"The value {error.rule}. {error.hint}".strip()) from None
    if len(value) > MAX_VALUE_BYTES:
        raise SecretsError(f"The value is too long: {len(value)} of {MAX_VALUE_BYTES} characters.")
    return value


def _run(
    chosen: argparse.Namespace,
    connect: Callable[..., Any],
    stdin: TextIO,
    stdout: TextIO,
    ask: Callable[[str], str],
) -> None:
    region = chosen.region
    if chosen.command == "list":
        path = f"/{SERVICE}/{chosen.stage}"
        stdout.writelines(_call(f"list {path} in {region}", _list, connect, path, region))
        return
    name = parameter_name(chosen.name, chosen.stage)
    if chosen.command == "set":
        text = ask(f"Value of {name}: ") if stdin.isatty() else stdin.read()
        value = checked_value(text, name)
        stdout.write(_call(f"store {name} in {region}", _set, connect, name, value, region))
    else:
        stdout.write(_call(f"delete {name} in {region}", _delete, connect, name, region))


def _call(action: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except ClientError as error:
        # Only the code: AWS's message may quote the value that it rejects.
        code = error.response["Error"]["Code"]
    except BotoCoreError as error:  # such as an unknown profile
        code = type(error).__name__
    raise SecretsError(
        f"AWS did not {action} ({code}). Check the region, the credentials (AWS_PROFILE) and their"
        " permissions for SSM parameters."
    )


def _set(connect: Callable[..., Any], name: str, value: str, region: str) -> str:
    client = connect("ssm", region_name=region)
    stored = client.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    replaced = "Running functions use the old value until Lambda replaces them.\n"
    line = f"Stored {name} in {region}, version {stored['Version']}.\n"
    return line + (replaced if stored["Version"] > 1 else "")


def _delete(connect: Callable[..., Any], name: str, region: str) -> str:
    connect("ssm", region_name=region).delete_parameter(Name=name)
    return f"Deleted {name} in {region}.\n"


def _list(connect: Callable[..., Any], path: str, region: str) -> list[str]:
    filters = [{"Key": "Path", "Option": "Recursive", "Values": [path]}]
    pages = connect("ssm", region_name=region).get_paginator("describe_parameters")
    found = pages.paginate(ParameterFilters=filters).search("Parameters")
    return [
        f"{each['Name']}  {each['Type']}  version {each['Version']}"
        f"  {each['LastModifiedDate']:%Y-%m-%d %H:%M}\n"
        for each in sorted(found, key=lambda parameter: str(parameter["Name"]))
    ] or [f"Nothing is stored below {path} in {region}.\n"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdin, sys.stdout, sys.stderr))
