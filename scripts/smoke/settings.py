"""What to check, from the command line, the shell and .env."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3

from local.npm_options import with_npm_options
from local.playground.settings import api_path
from local.project.environment import WELL_KNOWN, UserSettings
from local.project.lists import entries
from scripts.access.addresses import Addresses, deployed_addresses
from scripts.access.command_line import CommandLine, service_url
from scripts.access.errors import ToolError
from scripts.access.place import DEFAULT_REGION, DEFAULT_STAGE, SERVICE, session_of

TAKEN_BY_NPM = ("stage", "region", "stack", "http_url", "ws_url")
LOCAL = Addresses("http://127.0.0.1:3000", "ws://127.0.0.1:3001")
"""Where `npm start` listens."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to check: addresses, auth modes, and botocore's credentials or the key for them."""

    addresses: Addresses
    region: str
    url_auth: str
    websocket_auth: str
    credentials: Any = field(repr=False)
    forward_key: str = field(repr=False)
    api_path: str = "/v1"

    @property
    def url_is_signed(self) -> bool:
        return self.url_auth == "aws_iam"

    def described(self) -> str:
        """Return two lines: the addresses and how they are opened."""
        url = "signed requests" if self.url_is_signed else "forward key"
        websocket = {"aws_iam": "presigned", "none": "open"}.get(self.websocket_auth, "forward key")
        return (
            f"Function URL  {self.addresses.http_url}  ({url})\n"
            f"WebSocket     {self.addresses.websocket_url}  ({websocket})\n"
        )


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    stage: str
    region: str
    stack: str
    local: Addresses | None


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Parse the command line. Raises ToolError.

    Raises ConfigurationError for options that npm took for its own.
    """
    words = with_npm_options(arguments, environ, TAKEN_BY_NPM, ("local",), event="smoke")
    parser = CommandLine(
        prog="npm run smoke --", description="Check a deployed stage, or the local stack."
    )
    parser.add_argument("--stage", default=DEFAULT_STAGE, help="default %(default)s")
    parser.add_argument("--region", default=DEFAULT_REGION, help="default %(default)s")
    parser.add_argument("--stack", help="name of the CloudFormation stack (default sluice-STAGE)")
    parser.add_argument("--local", action="store_true", help="check what `npm start` runs")
    parser.add_argument("--http-url", help=f"with --local (default {LOCAL.http_url})")
    parser.add_argument("--ws-url", help=f"with --local (default {LOCAL.websocket_url})")
    found = parser.parse_args(words)
    if (found.http_url or found.ws_url) and not found.local:
        raise ToolError("--http-url and --ws-url need --local.")
    url, websocket_url = found.http_url or LOCAL.http_url, found.ws_url or LOCAL.websocket_url
    local = Addresses(service_url(url), websocket_url) if found.local else None
    return Options(found.stage, found.region, found.stack or f"{SERVICE}-{found.stage}", local)


def target_of(options: Options, user: UserSettings) -> Target:
    """Return what to check. Raises ToolError."""
    session = _session(options, user)
    target = Target(
        addresses=options.local
        or deployed_addresses(session.client("cloudformation"), options.stack),
        region=options.region,
        url_auth=user.get("FUNCTION_URL_AUTH") or "aws_iam",
        websocket_auth=user.get("WEBSOCKET_AUTH") or ("none" if options.local else "forward_key"),
        credentials=session.get_credentials(),
        forward_key=next(iter(entries(user.get("FORWARD_KEY"))), ""),
        api_path=api_path(user.get("OPENAI_ROUTE_PREFIX")),
    )
    _check(target, options)
    return target


def _session(options: Options, user: UserSettings) -> Any:
    if options.local and not user.has_own_keys():
        return boto3.Session(WELL_KNOWN, WELL_KNOWN, region_name=options.region)
    return session_of(user, options.region)


def _check(target: Target, options: Options) -> None:
    signs = target.url_is_signed or target.websocket_auth == "aws_iam"
    if signs and target.credentials is None:
        raise ToolError(
            "No AWS credentials were found for signing. Set AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, or log in with the AWS CLI."
        )
    needs_key = not target.url_is_signed or target.websocket_auth == "forward_key"
    if needs_key and not target.forward_key:
        raise ToolError(
            "FORWARD_KEY is not set, in the shell or in .env. Set it to a key of the service"
            f" (deployed: one of the SSM parameter /sluice/{options.stage}/forward-key)."
        )
