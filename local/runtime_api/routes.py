"""What a runtime asks of the Runtime API, and the failures that it tells (no I/O).

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


class Call(Enum):
    """Which of the API's routes was called."""

    NEXT = "next"
    RESPONSE = "response"
    ERROR = "error"
    INIT_ERROR = "init/error"
    UNKNOWN = "unknown"


def called(head: RequestHead) -> tuple[Call, str]:
    """Return the route that a request is for, and the request id in its path."""
    return _route(head.method, head.target.partition("?")[0])


def _route(method: str, target: str) -> tuple[Call, str]:
    if method == "GET":
        return (Call.NEXT if target == f"{_INVOCATION}next" else Call.UNKNOWN), ""
    if method != "POST":
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
