"""The options of `npm run chat`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from local.npm_options import with_npm_options
from scripts.access.command_line import CommandLine, service_url
from scripts.access.errors import ToolError
from scripts.access.place import add_options

COMMAND = "npm run chat --"
LOCAL_URL = "http://127.0.0.1:3000"
LOCAL_WEBSOCKET_URL = "ws://127.0.0.1:3001"

TAKEN_BY_NPM = ("model", "template", "stage", "region", "http_url", "ws_url")
"""Options that npm passes on as variables. Not `key`: a user's .npmrc may hold one for npm."""
NAMES_A_TEMPLATE = re.compile(r"PROMPT_\w+|\w+_TEMPLATE")
IS_ADDRESS = re.compile(r"(?:https?|wss?)://\S+")
A_KEY = "[!-~]+"
FOR_NPM = "%s"
"""What npm's own `message`, which -m sets, has in every .npmrc: the version."""
EPILOG = f"""\
examples:
  npm run chat                                  a conversation with npm start
  {COMMAND} "Hello"                       one prompt
  npm run -s chat -- "Summarize" < notes.txt    only the answer, for pipes
  {COMMAND} --stage dev --ws              a deployed stage, over its WebSocket

The key of the service is FORWARD_KEY, in the shell or in .env. Without one, requests are signed
with the AWS credentials of the shell; npm start takes the key `local`.
NO_COLOR=1 turns colors off.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line. prompt: None if it has none; empty addresses: those of the stage."""

    prompt: str | None
    model: str
    template: str
    over_websocket: bool
    stage: str
    region: str
    http_url: str
    ws_url: str
    key: str = field(repr=False)


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Parse the command line, also what npm took of it. Raises ToolError, ConfigurationError."""
    words = with_npm_options(arguments, environ, TAKEN_BY_NPM, ("url",), event="chat")
    found = command_line().parse_args(words)
    _check(found, environ)
    return Options(
        prompt=found.prompt[0] if found.prompt else None,
        model=found.model,
        template=found.template,
        over_websocket=found.ws,
        stage=found.stage or "",
        region=found.region or "",
        http_url=service_url(found.http_url or ("" if found.stage else LOCAL_URL)),
        ws_url=found.ws_url or ("" if found.stage else LOCAL_WEBSOCKET_URL),
        key=found.key or "",
    )


def command_line() -> argparse.ArgumentParser:
    parser = CommandLine(
        prog=COMMAND,
        allow_abbrev=False,
        description="Talk to a model through the local stack or a deployed stage.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    nothing = "a conversation on a terminal, else standard input"
    add("prompt", nargs="*", metavar="PROMPT", help=f"one prompt (without it: {nothing})")
    add("-m", "--model", default="", help="the model (default: the service's OPENAI_MODEL)")
    add("-s", "--template", default="", metavar="TEMPLATE", help="a prompt template, by its name")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--url", action="store_true", help="over the Function URL (default)")
    way.add_argument("--ws", action="store_true", help="over the WebSocket")
    add_options(parser, "npm start on this machine")
    add("--http-url", type=_address("http"), help=f"another Function URL than {LOCAL_URL}")
    add("--ws-url", type=_address("ws"), help=f"another WebSocket than {LOCAL_WEBSOCKET_URL}")
    visible = "others on this machine can see it in the list of processes"
    add("--key", type=_key, help=f"the key, better in FORWARD_KEY: {visible}")
    return parser


def _check(found: argparse.Namespace, environ: Mapping[str, str]) -> None:
    """Raises ToolError for options that contradict each other, and for those that npm took."""
    message = environ.get("npm_config_message", FOR_NPM)
    if environ.get("npm_lifecycle_event") == "chat" and FOR_NPM not in message:
        raise ToolError(f"npm took -m for an option of its own. Write: {COMMAND} -m MODEL")
    if len(found.prompt) > 1:
        raise ToolError(f'Write one prompt, in quotes, and options after --: {COMMAND} "Hello"')
    if found.prompt and NAMES_A_TEMPLATE.fullmatch(found.prompt[0]):
        raise ToolError(
            f"The prompt is the name of a template. Write options after --: {COMMAND} -s"
            f" {found.prompt[0]}"
        )
    if (found.url or found.ws) and found.prompt and IS_ADDRESS.fullmatch(found.prompt[0]):
        option = "--ws-url" if found.ws else "--http-url"
        raise ToolError(f"--url and --ws take no address. Write: {COMMAND} {option} ADDRESS")
    if found.model and found.template:
        raise ToolError("Leave out -m: the service's OPENAI_MODEL answers templates (-s).")
    if found.stage and (found.http_url or found.ws_url):
        raise ToolError("Choose either --stage, or --http-url and --ws-url.")


def _address(scheme: str) -> Callable[[str], str]:
    """A parser of addresses with this scheme, or with its encrypted form."""

    def read(text: str) -> str:
        try:
            parts = urlsplit(text)
            is_valid = parts.scheme in (scheme, f"{scheme}s") and parts.hostname and parts.port != 0
        except ValueError:
            is_valid = False
        if not is_valid:
            raise argparse.ArgumentTypeError(f"must start with {scheme}:// or {scheme}s://")
        return text

    return read


def _key(text: str) -> str:
    if not re.fullmatch(A_KEY, text):
        raise argparse.ArgumentTypeError("must be printable ASCII without spaces")
    return text
