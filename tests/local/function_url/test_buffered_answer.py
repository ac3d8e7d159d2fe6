"""Inference of an HTTP answer from a function's return value."""

from __future__ import annotations

import json

import pytest

from local.errors import PreludeError
from local.function_url.buffered_answer import infer_answer
from local.http.prelude import HttpHead

JSON = (("content-type", "application/json"),)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"message": "hi"}, (HttpHead(200, JSON), b'{"message": "hi"}')),
        ("text", (HttpHead(200, JSON), b"text")),
        (None, (HttpHead(200, JSON), b"null")),
        ([1], (HttpHead(200, JSON), b"[1]")),
        ({"statusCode": 204}, (HttpHead(204, JSON), b"")),
        (
            {"statusCode": 201, "headers": {"Content-Type": "text/html"}, "body": "<p>é"},
            (HttpHead(201, (("Content-Type", "text/html"),)), "<p>é".encode()),
        ),
        (
            {"statusCode": 200, "cookies": ["a=1"], "body": "AAE=", "isBase64Encoded": True},
            (HttpHead(200, JSON, ("a=1",)), b"\0\1"),
        ),
        ({"statusCode": 200, "body": {"a": 1}}, (HttpHead(200, JSON), b'{"a": 1}')),
    ],
)
def test_answer_is_inferred(answer: object, expected: tuple[HttpHead, bytes]) -> None:
    assert infer_answer(json.dumps(answer).encode()) == expected


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"nope", "answer must be JSON"),
        (b'{"statusCode": 1}', "statusCode"),
        (b'{"statusCode": 200, "body": "?", "isBase64Encoded": true}', "body must be base64"),
    ],
)
def test_invalid_answer_is_rejected(payload: bytes, message: str) -> None:
    with pytest.raises(PreludeError, match=message):
        infer_answer(payload)
