"""The Runtime API's side of HTTP/1.1, over h11 (no I/O): bytes in, requests out.

h11 because it keeps the trailers of a chunked body, which carry a stream's error.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

import h11

from local.errors import FunctionFailure
from local.limits import MAX_RUNTIME_API_HEAD_BYTES

_ROOT = "/2018-06-01/runtime/"
_INVOCATION = f"{_ROOT}invocation/"
_ERROR_TYPE = "lambda-runtime-function-error-type"
_ERROR_BODY = "lambda-runtime-function-error-body"
UNKNOWN_ERROR = "Function.Unknown"


class Call(Enum):
    """Which of the API's routes was called."""

    NEXT = "next"
    RESPONSE = "response"
    ERROR = "error"
    INIT_ERROR = "init/error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of one request."""

    call: Call
    request_id: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BodyPiece:
    """Bytes of the body, as many as were read at once."""

    data: bytes


@dataclass(frozen=True, slots=True)
class BodyEnd:
    """The end of the body, with its trailers."""

    trailers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConnectionEnd:
    """The runtime closed the connection between two requests."""


RequestEvent = RequestHead | BodyPiece | BodyEnd | ConnectionEnd


class TruncatedRequestError(Exception):
    """The request is not HTTP or ended early."""


class RequestReader:
    """One connection of a runtime. `reply` between a request's BodyEnd and the next request."""

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_RUNTIME_API_HEAD_BYTES)

    def receive(self, data: bytes) -> list[RequestEvent]:
        """Take what was read (b"" at the end) and return what it holds; joins body pieces.

        Raises TruncatedRequestError, also for a connection that ends inside a request.
        """
        try:
            self._h11.receive_data(data)
            return self._events()
        except h11.RemoteProtocolError as error:
            raise TruncatedRequestError(str(error)) from error

    def reply(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
        """Return the bytes of a whole reply to the request that has ended."""
        fields = [*headers, ("content-length", str(len(body)))]
        sent = [
            self._h11.send(h11.Response(status_code=status, headers=fields)),
            self._h11.send(h11.Data(data=body)),
            self._h11.send(h11.EndOfMessage()),
        ]
        return b"".join(part for part in sent if part)

    def next_request(self) -> list[RequestEvent]:
        """Make ready for the next request; return what of it has been read already."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return [ConnectionEnd()]
        self._h11.start_next_cycle()
        return self._events()

    def _events(self) -> list[RequestEvent]:
        found: list[RequestEvent] = []
        pieces: list[bytes] = []
        while not isinstance(event := self._h11.next_event(), type):
            if isinstance(event, h11.Data):
                pieces.append(event.data)
                continue
            _flush(pieces, found)
            if isinstance(event, h11.Request):
                found.append(_head(event))
            elif isinstance(event, h11.EndOfMessage):
                found.append(BodyEnd(_texts(event.headers)))
            else:
                found.append(ConnectionEnd())
                break
        _flush(pieces, found)
        return found


def _flush(pieces: list[bytes], found: list[RequestEvent]) -> None:
    if pieces:
        found.append(BodyPiece(pieces[0] if len(pieces) == 1 else b"".join(pieces)))
        pieces.clear()


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _head(request: h11.Request) -> RequestHead:
    target = request.target.decode("latin-1").partition("?")[0]
    call, request_id = _route(request.method, target)
    return RequestHead(call, request_id, _texts(request.headers))


def _route(method: bytes, target: str) -> tuple[Call, str]:
    if method == b"GET":
        return (Call.NEXT if target == f"{_INVOCATION}next" else Call.UNKNOWN), ""
    if method != b"POST":
        return Call.UNKNOWN, ""
    if target == f"{_ROOT}init/error":
        return Call.INIT_ERROR, ""
    if target.startswith(_INVOCATION):
        request_id, _, last = target[len(_INVOCATION) :].partition("/")
        if last in (Call.RESPONSE.value, Call.ERROR.value):
            return Call(last), unquote(request_id)
    return Call.UNKNOWN, ""


def posted_failure(headers: Mapping[str, str], body: bytes) -> FunctionFailure:
    """Return what a POST to /error or /init/error tells."""
    return _failure(headers.get(_ERROR_TYPE, ""), body)


def trailer_failure(trailers: Mapping[str, str]) -> FunctionFailure | None:
    """Return what the error trailers tell, or None when there are none."""
    error_type = trailers.get(_ERROR_TYPE, "")
    encoded = trailers.get(_ERROR_BODY, "")
    if not error_type and not encoded:
        return None
    try:
        body = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        body = b""
    return _failure(error_type, body)


def _failure(error_type: str, body: bytes) -> FunctionFailure:
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    return FunctionFailure(
        str(told.get("errorType") or error_type or UNKNOWN_ERROR),
        str(told.get("errorMessage") or ""),
    )
