"""The options of `npm run playground`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.npm_options import with_npm_options
from scripts.access.addresses import Addresses
from scripts.access.command_line import CommandLine, service_url
from scripts.access.errors import ToolError
from scripts.access.place import DEFAULT_REGION, DEFAULT_STAGE, SERVICE

COMMAND = "npm run playground --"
DEFAULT_PORT = 3010
"""Port of the page. The stage must permit its origin, so it should not change."""
MAX_PORT = 65_535
TAKEN_BY_NPM = ("stage", "region", "stack", "port", "http_url", "ws_url")


@dataclass(frozen=True, slots=True)
class Options:
    """The command line. port: None for DEFAULT_PORT, or a free one if that is in use."""

    stage: str
    region: str
    stack: str
    port: int | None
    opens_browser: bool
    addresses: Addresses | None


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Parse the command line, also what npm took of it. Raises ToolError, ConfigurationError."""
    words = with_npm_options(arguments, environ, TAKEN_BY_NPM, event="playground")
    parser = CommandLine(
        prog=COMMAND,
        allow_abbrev=False,
        description="Open the playground for a deployed stage.",
    )
    add = parser.add_argument
    add("--stage", default=DEFAULT_STAGE, help="default: %(default)s")
    add("--region", default=DEFAULT_REGION, help="default: %(default)s")
    add("--stack", help=f"name of the CloudFormation stack (default: {SERVICE}-STAGE)")
    add(
        "--port",
        help=f"port of the page on this machine, 0 for a free one (default: {DEFAULT_PORT})",
    )
    add("--no-browser", action="store_true", help="print the page's address only")
    add("--http-url", help="the Function URL, with --ws-url instead of a stage")
    add("--ws-url", help="the address of the WebSocket")
    found = parser.parse_args(words)
    if bool(found.http_url) != bool(found.ws_url):
        raise ToolError("--http-url and --ws-url need each other.")
    http_url = service_url(found.http_url or "")
    addresses = Addresses(http_url, found.ws_url) if http_url else None
    return Options(
        found.stage,
        found.region,
        found.stack or f"{SERVICE}-{found.stage}",
        _port(found.port),
        not found.no_browser,
        addresses,
    )


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise ToolError(f"--port must be 0 to {MAX_PORT}.")
    return int(text)
