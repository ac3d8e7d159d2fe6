"""What the page must know of the service (no I/O). It holds no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

REQUESTS_PATH = "/_local/requests"
_URL_PROOFS = {"none": "key", "aws_iam": "signature"}
_WEBSOCKET_PROOFS = {"none": "none", "forward_key": "key", "aws_iam": "signature"}


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Addresses, proofs and names.

    Proofs are `none`, `key` or `signature`. `public_key` is one that anyone may know, or "".
    `requests` is where the last requests are, or "". `network_hint` says what to do if the
    browser cannot reach the Function URL, and does not say why. Where `is_url_usable` is False, the
    page begins with the WebSocket.
    """

    title: str
    http_url: str
    websocket_url: str
    url_auth: str
    websocket_auth: str
    region: str
    model: str
    api_path: str = "/v1"
    templates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    public_key: str = ""
    requests: str = ""
    network_hint: str = ""
    is_deployed: bool = False
    is_url_usable: bool = True

    def document(self) -> Mapping[str, object]:
        """Return it as the page reads it."""
        return {_camel(name): value for name, value in asdict(self).items()}


def url_proof(function_url_auth: str, *, has_public_key: bool = False) -> str:
    """Return what the Function URL requires; the public key stands for a signature."""
    return "key" if has_public_key else _URL_PROOFS.get(function_url_auth, "signature")


def websocket_proof(websocket_auth: str) -> str:
    return _WEBSOCKET_PROOFS.get(websocket_auth or "forward_key", "key")


def api_path(route_prefix: str) -> str:
    """Return where OpenAI's API is: /v1, below OPENAI_ROUTE_PREFIX."""
    prefix = route_prefix.strip().strip("/").removesuffix("v1").rstrip("/")
    return f"/{prefix}/v1" if prefix else "/v1"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
