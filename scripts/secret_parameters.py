"""npm run secrets: the keys of a deployment, as SecureStrings of AWS's Parameter Store.

    npm run secrets -- set openai-api-key [--stage dev] [--region us-east-1]
    npm run secrets -- list
    npm run secrets -- delete forward-key

A value is read from a prompt that does not echo it, or from a pipe, and never from the command
line, where the process list and the shell's history show it. None is ever printed.
https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html
"""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import boto3
from botocore.exceptions import BotoCoreError, ClientError

# As serverless.yml has them.
SERVICE = "sluice"
DEFAULT_STAGE = "dev"
DEFAULT_REGION = "us-east-1"
NAMES = ("openai-api-key", "forward-key", "azure-openai-token")

FULL_NAME = re.compile(r"/[\w./-]+", re.ASCII)
KEYS = re.compile(r"[!#-\[\]-~]+")  # what sluice.settings takes for keys, and commas between them
MAX_VALUE_BYTES = 4096
"""Of a standard parameter.
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""


class SecretsError(Exception):
    """What the user can mend. The text never holds what may be a secret."""


class WrongCommandLine(SecretsError):
    """An argument is missing, unknown, or one that must not stand there."""


class WrongName(SecretsError):
    """A name that is neither one of NAMES nor that of a parameter."""

    def __init__(self) -> None:
        super().__init__(
            f"expected {', '.join(NAMES)} or the whole name of a parameter, /such/as/this,"
            " found another text (which is not repeated here: it may be a key)"
        )


class WrongValue(SecretsError):
    """A value that no provider's key has."""


class StoreRefused(SecretsError):
    """AWS did not do it; `code` is its word for why."""

    def __init__(self, code: str, asked_for: str) -> None:
        super().__init__(
            f"expected AWS to {asked_for}, found {code}: check the region, the credentials"
            " (AWS_PROFILE) and that they may do this with SSM parameters"
        )
        self.code = code


class CommandLine(argparse.ArgumentParser):
    """Says what is expected and repeats nothing of what was found."""

    def error(self, message: str) -> Any:
        del message  # it quotes arguments, one of which may be a key
        raise WrongCommandLine(
            f"expected {self.format_usage().removeprefix('usage: ').strip()}; a value never stands"
            " on the command line: it is asked for, or read from a pipe"
        )


def main(
    arguments: Sequence[str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
    ask: Callable[[str], str] = getpass.getpass,
    connect: Callable[..., Any] = boto3.client,
) -> int:
    """Do what `arguments` say; return the exit code.

    ask: reads a line from the terminal without echo. connect: as boto3.client.
    """
    try:
        chosen = command_line().parse_args(arguments)
        _run(chosen, _client(connect, chosen.region), stdin, stdout, ask)
    except SecretsError as error:
        stderr.write(f"secrets: {error}\n")
        return 1
    return 0


def command_line() -> argparse.ArgumentParser:
    parser = CommandLine(prog="npm run secrets --", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    for command, told in (
        ("set", "store a key, or put another in its place"),
        ("list", "name what is stored, without values"),
        ("delete", "delete a key"),
    ):
        own = commands.add_parser(command, help=told, allow_abbrev=False)
        if command != "list":
            own.add_argument("name", help=f"{', '.join(NAMES)}, or the whole name of a parameter")
        own.add_argument("--stage", default=DEFAULT_STAGE, help="default: %(default)s")
        own.add_argument("--region", default=DEFAULT_REGION, help="default: %(default)s")
    return parser


def parameter_name(name: str, stage: str) -> str:
    """The whole name of a key's parameter. Raises WrongName."""
    whole = f"/{SERVICE}/{stage}/{name}" if name in NAMES else name
    if not FULL_NAME.fullmatch(whole):
        raise WrongName
    return whole


def checked_value(text: str) -> str:
    """One key, or several between commas, without the line end of a pipe. Raises WrongValue."""
    value = text.strip()
    if not KEYS.fullmatch(value):
        found = "a blank or another sign that no key has" if value else "nothing"
        raise WrongValue(f"expected one key, or several with commas between them, found {found}")
    if len(value) > MAX_VALUE_BYTES:
        raise WrongValue(f"expected up to {MAX_VALUE_BYTES} characters, found {len(value)}")
    return value


def _client(connect: Callable[..., Any], region: str) -> Any:
    try:
        return connect("ssm", region_name=region)
    except BotoCoreError as error:  # such as an unknown profile
        raise StoreRefused(type(error).__name__, f"be reached in {region}") from None


def _run(
    chosen: argparse.Namespace,
    client: Any,
    stdin: TextIO,
    stdout: TextIO,
    ask: Callable[[str], str],
) -> None:
    if chosen.command == "list":
        _list(client, f"/{SERVICE}/{chosen.stage}", chosen.region, stdout)
        return
    name = parameter_name(chosen.name, chosen.stage)
    if chosen.command == "set":
        text = ask(f"Value of {name}: ") if stdin.isatty() else stdin.read()
        _set(client, name, checked_value(text), chosen.region, stdout)
    else:
        _call(client, "delete_parameter", f"delete {name} in {chosen.region}", Name=name)
        stdout.write(f"deleted {name} in {chosen.region}\n")


def _set(client: Any, name: str, value: str, region: str, stdout: TextIO) -> None:
    asked_for = f"store {name} in {region}"
    stored = _call(
        client,
        "put_parameter",
        asked_for,
        Name=name,
        Value=value,
        Type="SecureString",
        Overwrite=True,
    )
    stdout.write(f"stored {name} in {region}, version {stored['Version']}\n")
    if stored["Version"] > 1:
        stdout.write("functions that run already use the former value until Lambda replaces them\n")


def _list(client: Any, path: str, region: str, stdout: TextIO) -> None:
    filters = [{"Key": "Path", "Option": "Recursive", "Values": [path]}]
    asked: dict[str, Any] = {"ParameterFilters": filters}
    found = []
    while True:
        page = _call(client, "describe_parameters", f"list {path} in {region}", **asked)
        found += page["Parameters"]
        if not page.get("NextToken"):
            break
        asked["NextToken"] = page["NextToken"]
    if not found:
        stdout.write(f"nothing is stored below {path} in {region}\n")
    for each in sorted(found, key=lambda parameter: str(parameter["Name"])):
        changed = f"{each['LastModifiedDate']:%Y-%m-%d %H:%M}"
        stdout.write(f"{each['Name']}  {each['Type']}  version {each['Version']}  {changed}\n")


def _call(client: Any, operation: str, asked_for: str, **parameters: Any) -> dict[str, Any]:
    try:
        reply: dict[str, Any] = getattr(client, operation)(**parameters)
    except ClientError as error:
        # The code alone: a message of AWS's may quote the value that it minds.
        raise StoreRefused(error.response["Error"]["Code"], asked_for) from None
    except BotoCoreError as error:
        raise StoreRefused(type(error).__name__, asked_for) from None
    return reply


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin, sys.stdout, sys.stderr))
