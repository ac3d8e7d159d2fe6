"""Which headers pass: from the client to the provider, and back (no I/O).

All pass except those of one connection, of Sluice and its keys, those that reveal the client
to the provider or the provider's account to the client, and those by which a client could choose
the account, the path or the body's length at the provider.
https://www.rfc-editor.org/rfc/rfc9110#field.connection
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

HOP_BY_HOP = frozenset(
    (
        "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    )
)  # fmt: skip
OF_THE_CLIENT = frozenset(
    (
        "accept-encoding",  # Sluice sends its own
        "api-key", "authorization", "client-ip", "cookie", "fastly-client-ip", "forwarded", "host",
        "content-length",  # Sluice may change the body
        "if-modified-since", "if-none-match",  # a 304 cannot be streamed by Lambda
        "ocp-apim-subscription-key", "origin", "referer", "true-client-ip", "via", "x-api-key",
        "x-client-ip", "x-cluster-client-ip", "x-goog-api-key", "x-host", "x-litellm-api-key",
        "x-method-override", "x-real-ip", "x-scheme", "x-script-name", "x-url-scheme",
    )
)  # fmt: skip
ACCOUNT_HEADERS = ("openai-organization", "openai-project", "x-goog-user-project")
"""Whose account pays. They pass only with PASS_ACCOUNT_HEADERS."""
NOT_FOR_ALL = OF_THE_CLIENT.union(ACCOUNT_HEADERS)
OF_THE_PROVIDER = frozenset(
    (
        "alt-svc", "content-length", "date", "nel", "openai-organization", "openai-project",
        "report-to", "server", "set-cookie", "strict-transport-security", "vary", "via",
        "www-authenticate",
    )
)  # fmt: skip
MAX_REPLY_HEADER_BYTES = 8 * 1024
"""Maximum size of the provider's headers that pass, in bytes of JSON. Lambda takes 16 KB in all,
and API Gateway 10. Providers send one or two."""
MAX_REPLY_HEADERS = 80  # Python's http.client reads 100, and Lambda adds some
IMPORTANT = (
    "content-type", "content-encoding", "content-disposition", "content-range", "retry-after",
    "retry-after-ms", "x-should-retry", "x-request-id", "apim-request-id",
)  # fmt: skip
"""The headers that pass first; then x-ratelimit-*, then the others in their order."""
RATE_LIMITS = "x-ratelimit-"
JSON_SIGNS = 6  # two pairs of quotation marks, a colon and a comma
MAX_ESCAPE_BYTES = 6  # \u00e9
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110 section 5.5 allows only the tab
PRIVATE_PREFIXES = (
    "access-control-", "cf-", "cloudfront-", "sec-", "x-amz-", "x-amzn-", "x-forwarded-",
    "x-sluice-",
)  # fmt: skip
ROUTING_PREFIXES = ("x-accel-", "x-envoy-", "x-http-", "x-original-", "x-remote-", "x-rewrite-")
"""Some servers take path, method, host or user from such headers."""
KEPT_PREFIXES = PRIVATE_PREFIXES + ROUTING_PREFIXES


def request_headers(headers: Mapping[str, str], own: tuple[str, ...] = ()) -> dict[str, str]:
    """The client's headers that a provider may see. Names are in lower case.

    own: the beginnings of names that this provider gets although others do not. Names of other
    characters than letters, digits and hyphens never pass: some servers read `_` as a hyphen.
    """
    plain = {n: v for n, v in headers.items() if n.isascii() and n.replace("-", "").isalnum()}
    passed = _passed(plain, NOT_FOR_ALL)
    return {n: v for n, v in plain.items() if n in passed or n.startswith(own)}


def reply_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The provider's headers that a client may see, names in lower case.

    Without those that have control characters, or are too many or too large: Lambda would reject
    the whole reply.
    """
    named = {name.lower(): v for name, v in headers.items() if not CONTROLS.search(v)}
    passed = _passed(named, OF_THE_PROVIDER)
    text = "".join([*passed, *passed.values()])
    size = _json_bytes(text) + JSON_SIGNS * len(passed)
    is_small = len(passed) <= MAX_REPLY_HEADERS and size <= MAX_REPLY_HEADER_BYTES
    return passed if is_small else _most_important(passed)


def _most_important(headers: Mapping[str, str]) -> dict[str, str]:
    left, kept = MAX_REPLY_HEADER_BYTES, list[str]()
    for name in sorted(headers, key=_rank):
        size = _json_bytes(name + headers[name]) + JSON_SIGNS
        if size <= left and len(kept) < MAX_REPLY_HEADERS:
            left -= size
            kept.append(name)
    return {name: headers[name] for name in kept}


def _rank(name: str) -> int:
    if name in IMPORTANT:
        return IMPORTANT.index(name)
    return len(IMPORTANT) + (not name.startswith(RATE_LIMITS))


def _json_bytes(text: str) -> int:
    """Size of a text in JSON, at most, without its quotation marks."""
    if not text.isascii():
        return MAX_ESCAPE_BYTES * len(text)
    return len(text) + text.count('"') + text.count("\\") + text.count("\t")


def _passed(headers: Mapping[str, str], private: frozenset[str]) -> dict[str, str]:
    named = {name.strip().lower() for name in headers.get("connection", "").split(",")}
    return {
        name: value
        for name, value in headers.items()
        if not (name in HOP_BY_HOP or name in private or name in named)
        and not name.startswith(KEPT_PREFIXES)
    }
