"""Errors read as botocore reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.session import Session

from sluice.aws.errors import AwsRefused, AwsUnreachable, ConditionFailed
from sluice.aws.json_protocol import read_reply

HEADERS = {"x-amzn-requestid": "R1", "date": "Sat, 28 Nov 2026 13:00:00 GMT"}
NAMED = "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
ERRORS: list[tuple[int, dict[str, str], Any]] = [
    (400, {}, {"__type": NAMED, "message": "no table"}),
    (400, {}, {"__type": "AccessDeniedException", "Message": "no"}),
    (400, {}, {"__type": "ValidationException:http://internal.amazon.com/doc", "message": None}),
    (500, {}, {"__type": "com.amazon.coral.service#InternalFailure"}),
    (503, {}, {}),
]


@pytest.mark.parametrize(("status", "headers", "document"), ERRORS)
def test_error_is_read_as_botocore_reads_it(
    status: int, headers: dict[str, str], document: dict[str, Any]
) -> None:
    body = json.dumps(document).encode()
    shape = Session().get_service_model("dynamodb").operation_model("GetItem").output_shape
    reply = {"status_code": status, "headers": {**HEADERS, **headers}, "body": body}
    theirs = create_parser("json").parse(reply, shape)
    with pytest.raises(AwsRefused) as refused:
        read_reply(status, {**HEADERS, **headers}, body)
    error = refused.value
    assert (error.code, error.status) == (theirs["Error"]["Code"], status)
    assert error.message == (theirs["Error"]["Message"] or "")
    assert error.request_id == theirs["ResponseMetadata"]["RequestId"] == "R1"
    assert error.may_be_done == (status >= 500)
    assert error.server_time == 1_795_870_800
    assert str(error) == error.code


def test_error_that_is_not_json_is_known_by_its_header_or_its_status() -> None:
    for headers, code in (({}, "502"), ({"x-amzn-errortype": "SlowDown:http://x/"}, "SlowDown")):
        with pytest.raises(AwsRefused) as refused:
            read_reply(502, headers, b"<html>")
        assert (refused.value.code, refused.value.server_time) == (code, 0.0)


def test_failed_condition_is_an_error_of_its_own() -> None:
    with pytest.raises(ConditionFailed):
        read_reply(400, {}, b'{"__type": "a#ConditionalCheckFailedException"}')


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff"])
def test_result_that_is_not_an_object_is_no_answer(body: bytes) -> None:
    with pytest.raises(AwsUnreachable, match="InvalidReply") as caught:
        read_reply(200, {}, body)
    assert caught.value.may_be_done
