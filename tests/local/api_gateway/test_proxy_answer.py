"""Answers of WebSocket routes."""

from __future__ import annotations

import pytest

from local.api_gateway.proxy_answer import ProxyAnswer, read_proxy_answer


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"statusCode": 200}', ProxyAnswer(200, None)),
        (b'{"statusCode": 401, "body": "no"}', ProxyAnswer(401, None)),
        (
            b'{"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}}',
            ProxyAnswer(200, "chat"),
        ),
        (b'{"body": "x"}', None),
        (b'{"statusCode": "many"}', None),
        (b"null", None),
        (b"", None),
    ],
)
def test_answer_is_read(payload: bytes, expected: ProxyAnswer | None) -> None:
    assert read_proxy_answer(payload) == expected


@pytest.mark.parametrize(("status", "expected"), [(200, True), (299, True), (302, False)])
def test_only_2xx_is_success(status: int, expected: bool) -> None:  # noqa: FBT001
    assert ProxyAnswer(status, None).is_success() is expected
