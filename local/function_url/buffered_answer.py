"""What a Function URL makes of a buffered answer (no I/O).

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

from __future__ import annotations

import base64
import binascii
import json

from local.errors import PreludeError
from local.http.prelude import HttpHead, head_from

_JSON = ("content-type", "application/json")


def infer_answer(payload: bytes) -> tuple[HttpHead, bytes]:
    """Return the HTTP answer that `payload`, a function's return value as JSON, stands for.

    Without a `statusCode` the whole payload is the body of a 200. Raises PreludeError when the
    answer names a status code but cannot be sent.
    """
    try:
        told = json.loads(payload)
    except ValueError as error:
        raise PreludeError("expected the answer to be JSON, found something else") from error
    if not isinstance(told, dict) or "statusCode" not in told:
        body = told if isinstance(told, str) else None
        return HttpHead(200, (_JSON,)), payload if body is None else body.encode()
    head = head_from(told)
    if head.header("content-type") is None:
        head = HttpHead(head.status, (*head.headers, _JSON), head.cookies)
    return head, _body(told.get("body"), encoded=told.get("isBase64Encoded") is True)


def _body(body: object, *, encoded: bool) -> bytes:
    if body is None:
        return b""
    text = body if isinstance(body, str) else json.dumps(body)
    if not encoded:
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PreludeError("expected the body to be base64, as isBase64Encoded says") from error
