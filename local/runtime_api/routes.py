"""The routes of the Runtime API, and the failures that a runtime reports (no I/O).

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from enum import Enum
from urllib.parse import unquote

from local.errors import FunctionFailure
from local.runtime_api.http_requests import RequestHead

_ROOT = "/2018-06-01/runtime/"
_INVOCATION = f"{_ROOT}invocation/"
_ERROR_TYPE = "lambda-runtime-function-error-type"
_ERROR_BODY = "lambda-runtime-function-error-body"
UNKNOWN_ERROR = "Function.Unknown"


class Route(Enum):
    """The API's routes."""

    NEXT = "next"
    RESPONSE = "response"
    ERROR = "error"
    INIT_ERROR = "init/error"
    UNKNOWN = "unknown"


def route_of(head: RequestHead) -> tuple[Route, str]:
    """Return the route of a request, and the request id in its path."""
    path = head.target.partition("?")[0]
    if (head.method, path) == ("GET", f"{_INVOCATION}next"):
        return Route.NEXT, ""
    if (head.method, path) == ("POST", f"{_ROOT}init/error"):
        return Route.INIT_ERROR, ""
    if head.method == "POST" and path.startswith(_INVOCATION):
        request_id, _, last = path[len(_INVOCATION) :].partition("/")
        if last in (Route.RESPONSE.value, Route.ERROR.value):
            return Route(last), unquote(request_id)
    return Route.UNKNOWN, ""


def posted_failure(headers: Mapping[str, str], body: bytes) -> FunctionFailure:
    """Return the failure that a POST to /error or /init/error reports."""
    return _failure(headers.get(_ERROR_TYPE, ""), body)


def trailer_failure(trailers: Mapping[str, str]) -> FunctionFailure | None:
    """Return the failure in the error trailers, or None if there are none."""
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
        document = json.loads(body)
    except ValueError:
        document = None
    document = document if isinstance(document, dict) else {}
    return FunctionFailure(
        str(document.get("errorType") or error_type or UNKNOWN_ERROR),
        str(document.get("errorMessage") or ""),
    )
