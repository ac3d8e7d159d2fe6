"""Where the service is, and how to open it: from the command line, the shell and .env."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from local.playground.settings import api_path
from local.project.environment import WELL_KNOWN, UserSettings, is_loopback
from local.project.lists import entries
from scripts.access.errors import ToolError
from scripts.access.place import DEFAULT_REGION, SERVICE, session_of
from scripts.chat.command_line import A_KEY, Options

NO_KEY = "The service needs a key: set FORWARD_KEY in the shell or in .env."
NOT_A_KEY = "FORWARD_KEY must be printable ASCII without spaces. Copy the whole key again."
NOTHING_OPENS = (
    "No key and no AWS credentials were found. Set FORWARD_KEY to a key of the service, or log in"
    " with the AWS CLI."
)
HOW_TO_START = "Start it with npm start, or name a stage: --stage dev."


@dataclass(frozen=True, slots=True)
class Way:
    """What opens the service: a key, a signature by botocore's credentials, or nothing."""

    key: str = field(default="", repr=False)
    credentials: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """The address of the chosen transport."""

    address: str
    region: str
    is_local: bool
    api_path: str = "/v1"
    """Where OpenAI's API is at this address."""

    def unreachable(self, error: Exception) -> ToolError:
        """The error if nothing answers. It names only the kind: an address may be signed."""
        advice = HOW_TO_START if self.is_local else f"({type(error).__name__})"
        return ToolError(f"Cannot connect to {self.address}. {advice}")


def find_place(options: Options, user: UserSettings) -> Place:
    """Find the service. Raises ToolError."""
    region = options.region or DEFAULT_REGION
    address = options.ws_url if options.over_websocket else options.http_url
    address = address or _deployed(options, user, region)
    parts = urlsplit(address)
    prefix = "" if parts.path else user.get("OPENAI_ROUTE_PREFIX")
    return Place(address, region, is_loopback(parts.hostname or ""), api_path(prefix))


def ways(options: Options, user: UserSettings, place: Place) -> Iterator[Way]:
    """What may open the service, the likeliest first: its settings need not be known here.

    Raises ToolError if there is nothing. AWS credentials are looked up only when they are next.
    """
    mode = user.get("WEBSOCKET_AUTH" if options.over_websocket else "FUNCTION_URL_AUTH")
    # The local stack reads the same .env: if that names no mode, a key there does not count.
    keys = user.get("FORWARD_KEY") if mode or not place.is_local else user.shell.get("FORWARD_KEY")
    key = options.key or next(iter(entries(keys or "")), "")
    takes_keys = mode == "forward_key" or (mode == "none" and not options.over_websocket)
    if key and (options.key or mode != "aws_iam"):
        if not re.fullmatch(A_KEY, key):  # such as sk-… of a page
            raise ToolError(NOT_A_KEY)
        yield Way(key)
    elif takes_keys:
        raise ToolError(NO_KEY)
    if options.key or takes_keys:
        return
    if options.over_websocket and place.is_local and mode != "aws_iam":
        yield Way()
    elif place.is_local and not user.has_own_keys():
        yield _well_known(options)
    elif (credentials := session_of(user, place.region).get_credentials()) is not None:
        yield Way(credentials=credentials)
        if place.is_local:  # the shell of npm start may have none
            yield _well_known(options)
    elif not key:
        raise ToolError(NOTHING_OPENS)


def _well_known(options: Options) -> Way:
    if not options.over_websocket:
        return Way(WELL_KNOWN)
    from botocore.credentials import Credentials  # noqa: PLC0415 -- slow, and few sign

    return Way(credentials=Credentials(WELL_KNOWN, WELL_KNOWN))


def _deployed(options: Options, user: UserSettings, region: str) -> str:
    from scripts.access.addresses import deployed_addresses  # noqa: PLC0415 -- 0.3 s for boto3

    cloudformation = session_of(user, region).client("cloudformation")
    found = deployed_addresses(cloudformation, f"{SERVICE}-{options.stage}")
    return found.websocket_url if options.over_websocket else found.http_url
