"""The Function URL's answers, from its event to the bytes of the reply."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sluice.deadline import Deadline
from sluice.url_events import parse_url_request
from tests.scripted_upstream import (
    GatedAnswer,
    ScriptedUpstream,
    answer_stream,
    delta,
    refused_url,
    replies,
    says,
)
from tests.sluice.url_asking import HELLO, SECRET, Reply, ask, gateway_of

if TYPE_CHECKING:
    pass


def test_message_in_the_query_is_streamed_as_the_upstreams_bytes(
    upstream: ScriptedUpstream,
) -> None:
    reply = ask(upstream.url, query={"message": "Hello"})
    assert reply.metadata == {
        "statusCode": 200,
        "headers": {
            "content-type": "text/event-stream",
            "x-request-id": "req_upstream",
            "cache-control": "no-cache",
        },
    }
    assert reply.body == answer_stream(["Hel", "lo"])
    assert upstream.requests[0].document["messages"] == HELLO


@pytest.mark.parametrize(
    ("response_type", "said", "body"),
    [
        ("stream", ["a", "b"], answer_stream(["a", "b"])),
        ("full", ["a ", "é"], "a é".encode()),
        ("full", [], b"\n"),
        ("int", ["It is [[4", "2]]"], b"42"),
        ("string", ["[[ y", "es ]]"], b"yes"),
    ],
)
def test_template_request(
    upstream: ScriptedUpstream, response_type: str, said: list[str], body: bytes
) -> None:
    upstream.script = says(*said)
    request = {"prompt_template": "PROMPT_A", "messages": HELLO, "response_type": response_type}
    reply = ask(upstream.url, "POST", "/", request, PROMPT_A="Be brief.")
    assert reply.body == body
    kind = "text/event-stream" if response_type == "stream" else "text/plain; charset=utf-8"
    assert reply.metadata["headers"]["content-type"] == kind
    assert upstream.requests[0].document["messages"][0] == {
        "role": "system",
        "content": "Be brief.",
    }


@pytest.mark.parametrize("path", ["/", "/v1/chat/completions"])
def test_native_request_and_its_answer_stay_untouched(
    upstream: ScriptedUpstream, path: str
) -> None:
    upstream.script = replies(200, {"choices": [], "strange": 1})
    sent = b'{ "model":"m",  "messages":[], "tools":[{}] }'
    reply = ask(upstream.url, "POST", path, sent)
    assert upstream.requests[0].body == sent
    assert json.loads(reply.body) == {"choices": [], "strange": 1}
    assert reply.metadata["headers"] == {"content-type": "application/json"}


def test_first_delta_is_written_before_the_upstream_sends_the_second(
    upstream: ScriptedUpstream,
) -> None:
    gated = GatedAnswer("one", "two")
    upstream.script = gated

    class OpeningReply(Reply):
        def write(self, data: bytes, /) -> int:
            assert gated.sent == ["one", "two"][: len(self.writes) + 1]
            gated.open()
            return super().write(data)

    reply = OpeningReply()
    gated.open()
    gateway = gateway_of(OPENAI_BASE_URL=upstream.url)
    event = {
        "requestContext": {"requestId": "r", "http": {"method": "GET"}},
        "rawPath": "/",
        "queryStringParameters": {"message": "Hello"},
    }
    gateway.answer(parse_url_request(event), reply.open, Deadline(lambda: 900_000))
    assert reply.writes[:2] == [delta("one"), delta("two")]


def test_health_and_description_ask_nobody() -> None:
    nobody = refused_url()
    assert ask(nobody, path="/healthz").body == b'{"status":"ok"}'
    assert json.loads(ask(nobody).body)["service"] == "sluice"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/", b"{", 400, "invalid_json"),
        ("POST", "/", b"", 400, "invalid_json"),
        ("POST", "/v1/chat/completions", b"[1]", 400, "invalid_json"),
        ("POST", "/", {"messages": HELLO, "response_type": "xml"}, 400, "invalid_field"),
        (
            "POST",
            "/",
            {"messages": HELLO, "prompt_template": "OPENAI_API_KEY"},
            400,
            "prompt_template_not_allowed",
        ),
        (
            "POST",
            "/",
            {"messages": HELLO, "prompt_template": "PROMPT_NONE"},
            400,
            "prompt_template_not_found",
        ),
        ("GET", "/v2/anything", None, 404, "unknown_path"),
        ("DELETE", "/", None, 405, "method_not_allowed"),
    ],
)
def test_wrong_request_is_an_error_of_openais_shape(
    upstream: ScriptedUpstream, method: str, path: str, body: object, status: int, code: str
) -> None:
    reply = ask(upstream.url, method, path, body)
    assert (reply.metadata["statusCode"], reply.error["code"]) == (status, code)
    assert reply.metadata["headers"]["content-type"] == "application/json"
    assert upstream.requests == []


def test_wrong_method_names_the_right_ones() -> None:
    reply = ask(refused_url(), "PUT", "/")
    assert reply.metadata["headers"]["Allow"] == "GET, POST"


def test_other_media_type_is_refused_unless_it_is_json_all_the_same(
    upstream: ScriptedUpstream,
) -> None:
    headers = {"content-type": "text/csv"}
    assert ask(upstream.url, "POST", "/", b"a,b", headers=headers).metadata["statusCode"] == 415
    request = {"messages": HELLO}
    assert ask(upstream.url, "POST", "/", request, headers=headers).metadata["statusCode"] == 200


def test_curls_form_type_is_no_reason_to_refuse_json(upstream: ScriptedUpstream) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert ask(upstream.url, "POST", "/", b"{", headers=headers).error["code"] == "invalid_json"


@pytest.mark.parametrize(
    "headers",
    [{"authorization": "Bearer fk-2"}, {"api-key": "fk-1"}, {"x-api-key": "fk-2"}],
)
def test_forward_key_opens_a_url_without_iam(
    upstream: ScriptedUpstream, headers: dict[str, str]
) -> None:
    reply = ask(
        upstream.url,
        query={"message": "Hello"},
        headers=headers,
        FUNCTION_URL_AUTH="none",
        FORWARD_KEY="fk-1,fk-2",
    )
    assert reply.metadata["statusCode"] == 200
    assert upstream.requests[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer fk-3"}, {"authorization": "fk-1"}, {"api-key": "é"}]
)
@pytest.mark.parametrize("keys", ["fk-1,fk-2", ""])
def test_unknown_key_is_401_and_asks_nobody(
    upstream: ScriptedUpstream, headers: dict[str, str], keys: str
) -> None:
    for method, path, query in [
        ("GET", "/", {"message": "x"}),
        ("POST", "/", {}),
        ("POST", "/v1/chat/completions", {}),
    ]:
        reply = ask(
            upstream.url,
            method,
            path,
            {"messages": HELLO},
            query=query,
            headers=headers,
            FUNCTION_URL_AUTH="none",
            FORWARD_KEY=keys,
        )
        assert (reply.metadata["statusCode"], reply.error["code"]) == (401, "invalid_api_key")
    assert upstream.requests == []


def test_path_that_is_none_of_ours_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    ask(refused_url(), path="/my-password-in-the-path")
    fields = json.loads(capsys.readouterr().out)
    assert (fields["path"], fields["outcome"]) == ("(unknown)", "unknown_path")


def test_log_line_has_figures_and_neither_prompt_nor_answer_nor_key(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = says("the secret answer")
    reply_bytes = len(ask(upstream.url, query={"message": "the secret question"}).body)
    (line,) = capsys.readouterr().out.splitlines()
    fields = json.loads(line)
    assert fields.keys() == {
        "request_id",
        "transport",
        "outcome",
        "method",
        "path",
        "provider",
        "model",
        "retries",
        "upstream_request_id",
        "status",
        "bytes",
        "chunks",
        "usage",
        "first_byte_ms",
        "total_ms",
    }
    assert (fields["request_id"], fields["outcome"], fields["status"]) == ("r-1", "ok", 200)
    assert (fields["provider"], fields["retries"]) == ("openai", 0)
    assert (fields["bytes"], fields["usage"]) == (reply_bytes, {"total_tokens": 3})
    assert "secret" not in line
