"""The prelude of a streamed HTTP answer: JSON metadata, eight NULs, then the body (no I/O).

https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from local.errors import PreludeError
from local.limits import MAX_PRELUDE_BYTES

CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
"""The content type of a stream that begins with a prelude."""

DEFAULT_CONTENT_TYPE = "application/octet-stream"
"""The content type of an answer that names none."""

_END = b"\0" * 8
Collected = TypeVar("Collected", dict[str, object], list[object])
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_A_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class HttpHead:
    """Status, header fields in order, and `Set-Cookie` values of an HTTP answer."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """Return the first value of header `name` (lower case), or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(slots=True)
class PreludeParser:
    """Finds the prelude in a stream of pieces of any size."""

    _kept: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> tuple[HttpHead, bytes] | None:
        """Take the next bytes; return the head and the body's first bytes when it is complete.

        Do not call it again after that. Raises PreludeError.
        """
        # The end may lie in two pieces; the earlier bytes have been searched.
        start = max(0, len(self._kept) - len(_END) + 1)
        self._kept += data
        at = self._kept.find(_END, start)
        if at + len(_END) > MAX_PRELUDE_BYTES or (at < 0 and len(self._kept) > MAX_PRELUDE_BYTES):
            raise PreludeError(f"the prelude must end within {MAX_PRELUDE_BYTES} bytes")
        if at < 0:
            return None
        head = parse_metadata(bytes(self._kept[:at]))
        return head, bytes(self._kept[at + len(_END) :])

    def is_empty(self) -> bool:
        return not self._kept


def parse_metadata(text: bytes) -> HttpHead:
    """Return the head that a prelude's JSON describes; raises PreludeError."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PreludeError("the prelude must be JSON") from error
    if not isinstance(document, dict):
        raise PreludeError(f"the prelude must be an object (got {type(document).__name__})")
    return head_from(document)


def head_from(document: Mapping[str, object]) -> HttpHead:
    """Return the head of `statusCode`, `headers`, `multiValueHeaders`, `cookies`.

    Raises PreludeError when one of them is invalid.
    """
    headers: dict[str, object] = _typed(document.get("headers"), "headers", dict)
    fields = [_field(name, value) for name, value in headers.items()]
    several = "multiValueHeaders"
    for name, values in _typed(document.get(several), several, dict).items():
        fields.extend(_field(name, value) for value in _typed(values, several, list))
    cookies = _typed(document.get("cookies"), "cookies", list)
    cookie_values = tuple(_field("set-cookie", cookie)[1] for cookie in cookies)
    return HttpHead(_status(document.get("statusCode", 200)), tuple(fields), cookie_values)


def _field(name: str, value: object) -> tuple[str, str]:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not _TOKEN.fullmatch(name):
        raise PreludeError(f"invalid header name {name!r}")
    if not isinstance(value, (str, int, float)):
        raise PreludeError(f"header {name!r} must hold text (got {type(value).__name__})")
    if _NOT_IN_A_VALUE.search(str(value)):
        raise PreludeError(f"header {name} must not hold control characters")
    return name, str(value)


def _status(value: object) -> int:
    digits = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[1-5]\d\d", digits):
        raise PreludeError(f"statusCode must be 100 to 599 (got {value!r:.40})")
    return int(digits)


def _typed(value: object, name: str, kind: type[Collected]) -> Collected:
    """Return `value` if it is of that kind, an empty one for None."""
    if value is None:
        return kind()
    if isinstance(value, kind):
        return value
    kinds = {dict: "an object", list: "a list"}
    raise PreludeError(f"{name} must be {kinds[kind]} (got {type(value).__name__})")
