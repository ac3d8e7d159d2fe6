"""Errors as clients see them: in OpenAI's shape, without secrets."""

from __future__ import annotations

import json

from sluice.errors import UpstreamRefused
from sluice.secret_mask import mask_keys
from sluice.text import utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.errors import SluiceError

MAX_ID_CHARACTERS = 256
"""Maximum length of a request's id, a counter or UUID: every frame repeats it."""
WHETHER_TO_RETRY = ("retry-after", "x-should-retry")
RATE_LIMITS = "x-ratelimit-"
"""How the names of headers begin that clients on the WebSocket get, too."""


def http_body(error: SluiceError, secrets: Iterable[str]) -> bytes:
    """The body of an HTTP reply. An upstream's own error passes through."""
    if isinstance(error, UpstreamRefused) and error.reply_body:
        return mask_keys(error.reply_body, secrets)
    return _document(error, secrets, {})


def http_headers(error: SluiceError) -> dict[str, str]:
    """The headers that go with http_body."""
    if isinstance(error, UpstreamRefused) and error.reply_body:
        return {**error.reply_headers, **error.own_headers}
    own = error.reply_headers if isinstance(error, UpstreamRefused) else error.headers
    return {**own, **error.own_headers, "content-type": "application/json"}


def event(error: SluiceError, secrets: Iterable[str]) -> bytes:
    """The last event of a stream that failed."""
    return b"data: " + _document(error, secrets, {}) + b"\n\n"


def websocket_frame(
    error: SluiceError, secrets: Iterable[str], request_id: str, client_id: str | None
) -> str:
    """The text frame with an error. client_id: the id of the client's request, if any.

    A frame has no headers, so it holds those that say when to come back.
    """
    extra: dict[str, object] = {}
    if client_id is not None:
        extra["id"] = client_id[:MAX_ID_CHARACTERS]
    headers = http_headers(error)
    if any(name.startswith(WHETHER_TO_RETRY) for name in headers):
        told = (*WHETHER_TO_RETRY, RATE_LIMITS)
        extra["headers"] = {name: v for name, v in headers.items() if name.startswith(told)}
    return _document(error, secrets, {**extra, "requestId": request_id}).decode()


def _document(error: SluiceError, secrets: Iterable[str], extra: dict[str, object]) -> bytes:
    document = json.dumps({"error": error.document(), **extra}, ensure_ascii=False)
    return mask_keys(utf8(document), secrets)
