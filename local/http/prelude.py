"""The prelude of a streamed HTTP answer: JSON metadata, eight NULs, then the body (no I/O).

https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.errors import PreludeError
from local.limits import MAX_PRELUDE_BYTES

CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
"""A stream of this type begins with a prelude."""

DEFAULT_CONTENT_TYPE = "application/octet-stream"
"""What an answer that names no type is sent as."""

_END = b"\0" * 8
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_A_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class HttpHead:
    """Status, header fields in order, and `Set-Cookie` values of an HTTP answer."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """Return the value of header `name` (lower case), or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(slots=True)
class PreludeParser:
    """Finds the prelude in a stream that comes in pieces of any size."""

    _kept: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> tuple[HttpHead, bytes] | None:
        """Take the next bytes; return the head and the body's first bytes once it is complete.

        Not to be called again after that. Raises PreludeError.
        """
        # The end may straddle two pieces; what lies further back was searched before.
        start = max(0, len(self._kept) - len(_END) + 1)
        self._kept += data
        at = self._kept.find(_END, start)
        if at + len(_END) > MAX_PRELUDE_BYTES or (at < 0 and len(self._kept) > MAX_PRELUDE_BYTES):
            raise PreludeError(
                f"expected a prelude within {MAX_PRELUDE_BYTES} bytes, found none or a longer one"
            )
        if at < 0:
            return None
        head = parse_metadata(bytes(self._kept[:at]))
        return head, bytes(self._kept[at + len(_END) :])

    def is_empty(self) -> bool:
        """Return whether nothing came at all."""
        return not self._kept


def parse_metadata(text: bytes) -> HttpHead:
    """Return the head that a prelude's JSON describes; raises PreludeError."""
    try:
        told = json.loads(text)
    except ValueError as error:
        raise PreludeError("expected the prelude to be JSON, found something else") from error
    if not isinstance(told, dict):
        raise PreludeError(f"expected the prelude to be an object, found {type(told).__name__}")
    return head_from(told)


def head_from(told: Mapping[str, object]) -> HttpHead:
    """Return the head of `statusCode`, `headers`, `multiValueHeaders`, `cookies`.

    Raises PreludeError when one of them is not usable.
    """
    fields = list(_headers(told.get("headers")))
    for name, values in _mapping(told.get("multiValueHeaders"), "multiValueHeaders").items():
        fields.extend(_field(name, value) for value in _list(values, "multiValueHeaders"))
    cookies = _list(told.get("cookies"), "cookies")
    cookie_values = tuple(_field("set-cookie", cookie)[1] for cookie in cookies)
    return HttpHead(_status(told.get("statusCode", 200)), tuple(fields), cookie_values)


def _headers(told: object) -> list[tuple[str, str]]:
    return [_field(name, value) for name, value in _mapping(told, "headers").items()]


def _field(name: str, value: object) -> tuple[str, str]:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, (str, int, float)) or not _TOKEN.fullmatch(name):
        raise PreludeError(f"expected header {name!r} to hold text, found {type(value).__name__}")
    if _NOT_IN_A_VALUE.search(str(value)):
        raise PreludeError(f"expected header {name} without control characters")
    return name, str(value)


def _status(value: object) -> int:
    digits = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[1-5]\d\d", digits):
        raise PreludeError(f"expected statusCode to be 100 to 599, found {value!r:.40}")
    return int(digits)


def _mapping(value: object, name: str) -> dict[str, object]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise PreludeError(f"expected {name} to be an object, found {type(value).__name__}")


def _list(value: object, name: str) -> list[object]:
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise PreludeError(f"expected {name} to be a list, found {type(value).__name__}")
