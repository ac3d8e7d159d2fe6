"""The messages of the Lambda Runtime API, version 2018-06-01, without any I/O.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
"""

from __future__ import annotations

from types import SimpleNamespace

from awslambda import http1
from awslambda.errors import RuntimeApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from awslambda.http1 import Reply

ROOT = "/2018-06-01/runtime"
USER_AGENT = "sluice-awslambda"
HTTP_INTEGRATION = "application/vnd.awslambda.http-integration-response"
OCTET_STREAM = "application/octet-stream"
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
ERROR_BODY = "Lambda-Runtime-Function-Error-Body"
XRAY_CAUSE = "Lambda-Runtime-Function-XRay-Error-Cause"
RESPONSE_MODE = "Lambda-Runtime-Function-Response-Mode"
INVOCATION_ID = "Lambda-Runtime-Invocation-Id"
PRELUDE_END = bytes(8)  # eight NULs between an HTTP answer's metadata and its body

OK = 200
CONTAINER_ERROR = 500  # "non-recoverable state, the runtime should exit promptly"


class Invocation(SimpleNamespace):
    """One event, from GET /runtime/invocation/next.

    deadline_ms: when Lambda ends the invocation, in ms since the epoch. Optional values are None if
    missing. headers: the reply's, with names in lower case.
    """

    def __init__(self, request_id: str, event: bytes, headers: Mapping[str, str]) -> None:
        get = headers.get
        self.request_id = request_id
        self.event = event
        self.deadline_ms = _milliseconds(get("lambda-runtime-deadline-ms", "0"))
        self.function_arn = get("lambda-runtime-invoked-function-arn", "")
        self.invocation_id = get("lambda-runtime-invocation-id")
        self.trace_id = get("lambda-runtime-trace-id")
        self.client_context = get("lambda-runtime-client-context")
        self.cognito_identity = get("lambda-runtime-cognito-identity")
        self.tenant_id = get("lambda-runtime-aws-tenant-id")


class Failure(SimpleNamespace):
    """An exception as Lambda receives it. document: JSON, see errors.error_document."""

    def __init__(self, error_type: str, document: bytes, xray_cause: str = "") -> None:
        self.error_type = error_type
        self.document = document
        self.xray_cause = xray_cause


def parse_invocation(reply: Reply) -> Invocation:
    """Parse the reply to GET /runtime/invocation/next; raises RuntimeApiError if it is invalid."""
    request_id = reply.headers.get("lambda-runtime-aws-request-id")
    if reply.status != OK or not request_id:
        raise RuntimeApiError(
            f"GET {ROOT}/invocation/next: expected status 200 and a request id, got status "
            f"{reply.status}{'' if request_id else ' and no request id'}"
        )
    return Invocation(request_id, reply.body, reply.headers)


def next_request(host: str) -> bytes:
    """GET /runtime/invocation/next. Its reply may take forever: wait without a timeout."""
    headers = [("Host", host), ("User-Agent", USER_AGENT)]
    return http1.request_head("GET", f"{ROOT}/invocation/next", headers)


def response_request(host: str, invocation: Invocation, body: bytes, content_type: str) -> bytes:
    """The whole answer of an ordinary handler."""
    headers = [("Content-Type", content_type), *_common_headers(host, invocation)]
    return _post(_path(invocation, "response"), headers, body)


def error_request(host: str, invocation: Invocation, failure: Failure) -> bytes:
    """Reports that a handler failed before its answer began."""
    headers = [*_failure_headers(failure), *_common_headers(host, invocation)]
    body = failure.document
    return _post(_path(invocation, "error"), headers, body)


def init_error_request(host: str, failure: Failure) -> bytes:
    """Reports that the function cannot start; the process must exit afterwards."""
    headers = [*_failure_headers(failure), ("Host", host)]
    return _post(f"{ROOT}/init/error", headers, failure.document)


def restore_next_request(host: str) -> bytes:
    """GET /runtime/restore/next: the snapshot may be taken. Its reply comes after the restore."""
    headers = [("Host", host), ("User-Agent", USER_AGENT)]
    return http1.request_head("GET", f"{ROOT}/restore/next", headers)


def restore_error_request(host: str, failure: Failure) -> bytes:
    """Reports that a hook failed after the restore; the process must exit afterwards."""
    headers = [*_failure_headers(failure), ("Host", host)]
    return _post(f"{ROOT}/restore/error", headers, failure.document)


def streamed_response_head(host: str, invocation: Invocation, content_type: str) -> bytes:
    """The head of a streamed answer. http1.chunk(…) follows, then LAST_CHUNK or error_trailers.

    Lambda requires the announcement of the trailers, even if none follow.
    """
    headers = [
        (RESPONSE_MODE, "streaming"),
        ("Trailer", ERROR_TYPE),
        ("Trailer", ERROR_BODY),
        ("Content-Type", content_type),
        ("Transfer-Encoding", "chunked"),
        *_common_headers(host, invocation),
    ]
    return http1.request_head("POST", _path(invocation, "response"), headers)


def error_trailers(error_type: str, document: bytes) -> bytes:
    """The end of a streamed answer whose handler failed after its first byte."""
    import binascii  # noqa: PLC0415 -- only failures need it

    encoded = binascii.b2a_base64(document, newline=False).decode()
    return http1.last_chunk([(ERROR_TYPE, error_type), (ERROR_BODY, encoded)])


def _failure_headers(failure: Failure) -> list[tuple[str, str]]:
    headers = [("Content-Type", "application/json"), (ERROR_TYPE, failure.error_type)]
    return [*headers, (XRAY_CAUSE, failure.xray_cause)] if failure.xray_cause else headers


def _common_headers(host: str, invocation: Invocation) -> list[tuple[str, str]]:
    headers = [("Host", host), ("User-Agent", USER_AGENT)]
    if invocation.invocation_id is not None:
        # Lets Lambda reject a late answer, which would otherwise reach the next caller.
        headers.append((INVOCATION_ID, invocation.invocation_id))
    return headers


def _post(path: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    return http1.request_head("POST", path, [*headers, ("Content-Length", str(len(body)))]) + body


def _path(invocation: Invocation, leaf: str) -> str:
    return f"{ROOT}/invocation/{_url_encoded(invocation.request_id)}/{leaf}"


def _url_encoded(text: str) -> str:
    if text.replace("-", "").isalnum() and text.isascii():
        return text  # true of AWS's request ids; urllib.parse takes 5 ms to import
    from urllib.parse import quote  # noqa: PLC0415

    return quote(text, safe="", errors="surrogateescape")


def _milliseconds(text: str) -> int:
    return int(text) if text.isdecimal() else 0
