"""The routes of the Runtime API, and the failures that a runtime reports."""

from __future__ import annotations

import base64
import json

import pytest

from local.errors import FunctionFailure
from local.limits import MAX_RUNTIME_API_HEAD_BYTES
from local.runtime_api.http_requests import BodyEnd, RequestHead, RequestReader
from local.runtime_api.routes import Route, posted_failure, route_of, trailer_failure


@pytest.mark.parametrize(
    ("line", "route", "request_id"),
    [
        ("GET /2018-06-01/runtime/invocation/next", Route.NEXT, ""),
        ("POST /2018-06-01/runtime/init/error", Route.INIT_ERROR, ""),
        ("POST /2018-06-01/runtime/invocation/a/error", Route.ERROR, "a"),
        ("POST /2018-06-01/runtime/invocation/a/response?x=y", Route.RESPONSE, "a"),
        ("POST /2018-06-01/runtime/invocation/8476%2Fa/response", Route.RESPONSE, "8476/a"),
        ("POST /2018-06-01/runtime/invocation/a/other", Route.UNKNOWN, ""),
        ("POST /2018-06-01/runtime/invocation/next", Route.UNKNOWN, ""),
        ("GET /2018-06-01/runtime/restore/next", Route.UNKNOWN, ""),
        ("PUT /2018-06-01/runtime/init/error", Route.UNKNOWN, ""),
        ("POST /", Route.UNKNOWN, ""),
    ],
)
def test_route_depends_on_method_and_path(line: str, route: Route, request_id: str) -> None:
    method, target = line.split(" ")
    assert route_of(RequestHead(method, target, {})) == (route, request_id)


def test_trailers_may_hold_a_whole_stack_trace() -> None:
    error = {"errorType": "E", "errorMessage": "m", "trace": ["line"] * 50_000}
    body = base64.b64encode(json.dumps(error).encode())
    reader = RequestReader(MAX_RUNTIME_API_HEAD_BYTES)
    reader.receive(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    (end,) = reader.receive(b"0\r\nLambda-Runtime-Function-Error-Body: " + body + b"\r\n\r\n")
    assert isinstance(end, BodyEnd)
    assert trailer_failure(end.trailers) == FunctionFailure("E", "m")


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b'{"errorType": "E", "errorMessage": "m"}', FunctionFailure("E", "m")),
        ({"lambda-runtime-function-error-type": "H"}, b"", FunctionFailure("H", "")),
        ({}, b"[]", FunctionFailure("Function.Unknown", "")),
    ],
)
def test_posted_failure_is_read(
    headers: dict[str, str], body: bytes, expected: FunctionFailure
) -> None:
    assert posted_failure(headers, body) == expected


@pytest.mark.parametrize(
    ("error_type", "body", "expected"),
    [
        ("", "", None),
        ("E", "", FunctionFailure("E", "")),
        ("E", "%%%", FunctionFailure("E", "")),
    ],
)
def test_failure_in_trailers_is_read(
    error_type: str, body: str, expected: FunctionFailure | None
) -> None:
    trailers = {
        "lambda-runtime-function-error-type": error_type,
        "lambda-runtime-function-error-body": body,
    }
    assert trailer_failure(trailers) == expected
