"""The HTTP answer that a Function URL makes of a buffered answer (no I/O).

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
    """Return the HTTP answer for `payload`, a function's return value as JSON.

    Without a `statusCode` the whole payload is the body of a 200. Raises PreludeError for an
    answer that has a status code but is invalid.
    """
    try:
        document = json.loads(payload)
    except ValueError as error:
        raise PreludeError("the answer must be JSON") from error
    if not isinstance(document, dict) or "statusCode" not in document:
        return HttpHead(200, (_JSON,)), document.encode() if isinstance(document, str) else payload
    head = head_from(document)
    if head.header("content-type") is None:
        head = HttpHead(head.status, (*head.headers, _JSON), head.cookies)
    return head, _body(document.get("body"), encoded=document.get("isBase64Encoded") is True)


def _body(body: object, *, encoded: bool) -> bytes:
    if body is None:
        return b""
    text = body if isinstance(body, str) else json.dumps(body)
    if not encoded:
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PreludeError("the body must be base64, because isBase64Encoded is true") from error
