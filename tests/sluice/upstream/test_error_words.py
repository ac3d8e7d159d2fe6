"""What providers say of a failure, in the shapes of their public documentation and bug reports."""

from __future__ import annotations

import json

import pytest

from sluice.errors import UpstreamRefused
from sluice.upstream.error_words import MAX_DEPTH, is_error, reported_error

WORDS = "words of the provider"
PLACE = {"loc": ["body", "messages", 0], "msg": WORDS, "type": "missing"}
NESTED: object = {"message": {"message": WORDS}}
NESTED_TOO_DEEP = json.loads('{"message":' * MAX_DEPTH + '"x"' + "}" * MAX_DEPTH)
OAUTH = {"error": "invalid_grant", "error_description": WORDS}


@pytest.mark.parametrize(
    ("document", "reported"),
    [
        ({"error": {"message": WORDS, "code": "c"}}, {"message": WORDS, "code": "c"}),
        ({"error": WORDS}, {"message": WORDS}),
        ({"error": {"code": "c"}}, {"message": None, "code": "c"}),
        ({"error": {"code": "c"}, "message": WORDS}, {"message": WORDS, "code": "c"}),
        ({"error": {"message": {"detail": [PLACE]}}}, {"message": f"body.messages.0: {WORDS}"}),
        ({"error": True, "message": WORDS}, {"message": WORDS}),
        # vLLM
        (
            {"object": "error", "message": WORDS, "type": "BadRequestError", "code": 400},
            {"message": WORDS, "type": "BadRequestError", "code": 400},
        ),
        # Gemini
        ([{"error": {"code": 400, "message": WORDS}}], {"message": WORDS, "code": 400}),
        # FastAPI
        ({"detail": WORDS}, {"message": WORDS}),
        ({"detail": [PLACE]}, {"message": f"body.messages.0: {WORDS}"}),
        ({"detail": [{"msg": "a"}, {"msg": "b"}]}, {"message": "a; b"}),
        ({"detail": {"error": {"message": WORDS}}}, {"message": WORDS}),
        # Mistral
        (
            {"object": "error", "message": {"detail": [{"msg": WORDS}]}, "type": "t"},
            {"message": WORDS, "type": "t"},
        ),
        # AWS
        ({"message": WORDS}, {"message": WORDS}),
        ({"Message": WORDS}, {"message": WORDS}),
        # Others
        (OAUTH, {"message": WORDS, "code": "invalid_grant"}),
        ({"success": False, "errors": [{"code": 1, "message": WORDS}]}, {"message": WORDS}),
        ({"errors": [WORDS]}, {"message": WORDS}),
        ({"error_code": 336003, "error_msg": WORDS}, {"message": WORDS}),
        ({"base_resp": {"status_code": 1004, "status_msg": WORDS}}, {"message": WORDS}),
        ({"type": "about:blank", "title": WORDS}, {"message": WORDS, "type": "about:blank"}),
        ({"fault": {"faultstring": WORDS}}, {"message": WORDS}),
        (NESTED, {"message": WORDS}),
        (WORDS, {"message": WORDS}),
        # Nothing that people read
        ({"message": {"role": "assistant", "content": "x"}}, None),
        ({"message": ""}, None),
        ({"message": "<html>"}, None),
        ({"error": None}, None),
        ({}, None),
        ([1, None], None),
        ({"message": NESTED_TOO_DEEP}, None),
        (None, None),
    ],
)
def test_error_is_read_from_json(document: object, reported: object) -> None:
    body = json.dumps(document).encode()
    assert reported_error(body) == reported
    assert reported_error(b"\xef\xbb\xbf" + body + b"\n") == reported
    as_event = b": x\r\nevent: error\r\ndata: " + body + b"\n\ndata: [DONE]\n\n"
    if isinstance(document, dict):
        assert reported_error(as_event) == reported


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"  Service\n unavailable: try later.\n", "Service unavailable: try later."),
        (b"503 Service Unavailable", "503 Service Unavailable"),
        (b'{"error": {"mess', '{"error": {"mess'),
        (b"data: overloaded\n\n", "overloaded"),
        (b"[" * 100_000, "[" * 4096),
        (b'{"error":' * 100_000, '{"error":' * 455 + "{"),
        (json.dumps({"message": WORDS * 1000}).encode(), (WORDS * 1000)[:4096]),
        (b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", ""),
        (b"<?xml version='1.0'?><Error><Code>No</Code></Error>", ""),
        (b"\x1f\x8b\x08\x00", ""),
        (b"\xff\xfe", ""),
        (b"null", ""),
        (b"data: [DONE]\n\n", ""),
        (b"", ""),
    ],
)
def test_text_is_passed_on_and_a_page_is_not(body: bytes, message: str) -> None:
    document = UpstreamRefused(503, {}, body, reported_error(body)).document()
    assert document["message"] == (message or "The upstream answered with status 503.")
    assert document["code"] == "upstream_refused"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"error": None, "message": "m"}, False),
        ({"message": "m"}, False),
        ({"type": "ping", "message": "m"}, False),
        ({"status": 200, "message": "m"}, False),
        ({"code": 0, "message": "m"}, False),
        ({"status": True, "message": "m"}, False),
        ({"type": "error"}, False),
        ({"choices": [{}], "message": "m", "code": 500}, False),
        ([1, {"message": "m"}], False),
        ("error", False),
        ({"error": "x"}, True),
        ({"error": {"message": "m"}, "choices": [{}]}, True),
        ({"code": "429", "message": "m"}, True),
        ({"code": "InvalidParameterError", "message": "m"}, True),
        ({"type": "ThrottlingException", "message": "m"}, True),
        ([{"object": "error", "message": "m"}], True),
    ],
)
def test_event_with_a_message_is_an_error_only_if_it_says_so(
    document: object, *, expected: bool
) -> None:
    assert is_error(document) is expected
