"""What the checks are run against: two addresses and what opens them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class SmokeSettingsError(Exception):
    """The checks cannot be started; the text says what to set."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the service is; `http_url` has no slash at its end."""

    http_url: str
    websocket_url: str


@dataclass(frozen=True, slots=True)
class Target:
    """`credentials` are botocore's, and sign; the modes are those of the deployment's settings."""

    addresses: Addresses
    region: str
    url_auth: str
    websocket_auth: str
    credentials: Any = field(repr=False)
    forward_key: str = field(repr=False)

    @property
    def url_is_signed(self) -> bool:
        return self.url_auth == "aws_iam"

    def described(self) -> str:
        """Two lines: where the service is, and how it is opened."""
        url = "signed requests" if self.url_is_signed else "forward key"
        websocket = {"aws_iam": "presigned", "none": "open"}.get(self.websocket_auth, "forward key")
        return (
            f"Function URL  {self.addresses.http_url}  ({url})\n"
            f"WebSocket     {self.addresses.websocket_url}  ({websocket})\n"
        )
