"""What makes two requests equal, so that one answer serves both. No I/O."""

from __future__ import annotations

import json

from sluice.digests import sha256
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERSION = 2
"""Version of the key's form."""
IGNORED = ("stream", "stream_options", "user", "metadata")
"""Members of a request that do not change its answer."""
UNKEPT = ("store", "background", "previous_response_id", "conversation")
"""Members of a request whose answer depends on the provider's state, or changes it."""
IGNORED_HEADERS = (
    "accept", "b3", "baggage", "cache-control", "dnt", "elastic-apm-", "http-referer",
    "idempotency-key", "newrelic", "pragma", "priority", "request-id", "sentry-trace",
    "traceparent", "tracestate", "uber-trace-id", "user-agent", "x-b3-",
    "x-client-request-id", "x-cloud-trace-context", "x-correlation-id", "x-datadog-",
    "x-ms-client-request-id", "x-request-id", "x-requested-with", "x-sluice-", "x-stainless-",
    "x-title",
)  # fmt: skip
"""How names of headers begin that name the client or the request. Any other may change an answer:
it may turn a beta feature on, or tell a proxy which model to ask."""


class Place(NamedTuple):
    """Where a request goes. is_verbatim, provider, base_url, path, query: see Target and ModelCall.

    headers: those that the provider may get.
    """

    is_verbatim: bool
    provider: str
    base_url: str
    path: str
    query: str
    headers: Mapping[str, str]


def read_document(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a request's body; None where it can be read in two ways, or not at all.

    Of two members with one name, the provider may take another one than Python does: an answer
    would be kept under the wrong question.
    """
    try:
        document = _decode(body.decode())
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def may_be_kept(document: Mapping[str, Any]) -> bool:
    """Whether the answer to a request depends on the request alone, and has a known form.

    Some providers read a `stream` of 1 or "true" as true.
    """
    has_form = isinstance(document.get("stream"), bool | None)
    return has_form and not any(document.get(name) for name in UNKEPT)


def answer_key(scope: str, place: Place, document: Mapping[str, Any]) -> str | None:
    """The key of the answer to `document`: SHA-256, in hexadecimal digits; None if it is too deep.

    scope: whose answers may be shared; empty for all.
    """
    members = {name: value for name, value in document.items() if name not in IGNORED}
    headers = {n: v for n, v in place.headers.items() if not n.startswith(IGNORED_HEADERS)}
    parts = (VERSION, scope, *place[:-1], headers, members)
    try:
        text = _encode(parts)
    except RecursionError:  # a little deeper than `document`
        return None
    return sha256(text.encode()).hexdigest()


def _unambiguous(members: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(members)
    if len(document) != len(members):
        raise ValueError("two members have one name")
    return document


def _reject_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


_decode = json.JSONDecoder(object_pairs_hook=_unambiguous, parse_constant=_reject_constant).decode
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
