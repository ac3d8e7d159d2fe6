"""AWS's JSON protocol: one POST for each operation (no I/O).

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

from __future__ import annotations

import json

from sluice.aws.errors import AwsRefused, AwsUnreachable, ConditionFailed
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

OK, FIRST_SERVER_ERROR = 200, 500
CONDITION_FAILED = "ConditionalCheckFailedException"


class Service(NamedTuple):
    """An API. name: in its endpoint and in signatures. target: begins X-Amz-Target."""

    name: str
    target: str
    version: str

    def headers(self, operation: str) -> dict[str, str]:
        return {
            "content-type": f"application/x-amz-json-{self.version}",
            "x-amz-target": f"{self.target}.{operation}",
        }


def read_reply(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The result of an operation. Header names are in lower case. Raises AwsError."""
    document = _document(body)
    if status != OK:
        raise _error(status, headers, document or {})
    if document is None:
        raise invalid_reply()
    return document


def invalid_reply() -> AwsUnreachable:
    return AwsUnreachable("InvalidReply", OK, may_be_done=True)


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _error(status: int, headers: Mapping[str, str], document: Mapping[str, Any]) -> AwsRefused:
    from sluice.http.dates import http_date  # noqa: PLC0415 -- see there

    kind = document.get("__type") or headers.get("x-amzn-errortype") or str(status)
    code = str(kind).partition(":")[0].rpartition("#")[2]
    error = (ConditionFailed if code == CONDITION_FAILED else AwsRefused)(
        code,
        status,
        str(document.get("message") or document.get("Message") or ""),
        headers.get("x-amzn-requestid", ""),
        # "The operation may have succeeded or failed": DynamoDB's words for status 500.
        may_be_done=status >= FIRST_SERVER_ERROR,
    )
    error.document = document
    error.server_time = http_date(headers.get("date", ""))
    return error
