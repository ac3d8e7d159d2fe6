"""The Function URL's answers, from its event to the bytes of the reply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.authentication import key_name
from sluice.deadline import Deadline
from sluice.url.events import parse_url_request
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    GatedAnswer,
    ScriptedUpstream,
    answer_stream,
    chunk,
    delta,
    dies_after,
    one_after_another,
    refused_url,
    replies,
    says,
    sends,
)
from tests.sluice.url.asking import HELLO, SECRET, Reply, answer_to, ask, event_of, gateway_of


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
        ("TRACE", "/v1/models", None, 405, "method_not_allowed"),
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


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/", "/v1/chat/completions"])
def test_url_that_was_to_want_signatures_and_does_not_lets_nobody_in(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str], method: str, path: str
) -> None:
    event = event_of(method, path, {"messages": HELLO}, query={"message": "x"})
    event["requestContext"]["accountId"] = "anonymous"  # as Lambda says of auth type NONE
    gateway = gateway_of(OPENAI_BASE_URL=upstream.url, OPENAI_API_KEY=SECRET)
    reply = answer_to(event, gateway)
    assert (reply.metadata["statusCode"], reply.error["code"]) == (500, "misconfigured")
    assert (
        "FUNCTION_URL_AUTH is aws_iam, but the Function URL takes unsigned requests"
        in capsys.readouterr().out
    )
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
        "principal",
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


def logged(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().out.splitlines()
    fields: dict[str, Any] = json.loads(line)
    return fields


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/files/file-a1B2", "/v1/files/*"),
        ("/v1/models/my%20secret", "/v1/models/*"),
        ("/v1/Hello%2C%20I%20am", "/v1/*"),
        ("/v1/" + "x" * 40, "/v1/*"),
        ("//v1//files/f1/content", "//v1//files/*/content"),
    ],
)
def test_path_is_logged_without_what_a_client_may_have_put_in_it(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str], path: str, told: str
) -> None:
    upstream.script = sends(b"{}")
    ask(upstream.url, path=path, raw_query="user=private")
    fields = logged(capsys)
    assert (fields["method"], fields["path"]) == ("GET", told)
    assert "private" not in json.dumps(fields)


@pytest.mark.parametrize("name", ["x_request_id", "apim_request_id", "x_amzn_RequestId"])
@pytest.mark.parametrize("status", [200, 400])
def test_upstreams_name_for_the_request_is_logged(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str], name: str, status: int
) -> None:
    upstream.script = replies(status, {"error": {"message": "m"}}, **{name: "u-1"})
    ask(upstream.url, path="/v1/models")
    assert logged(capsys)["upstream_request_id"] == "u-1"


def test_retries_and_the_model_that_answered_are_logged(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    down = replies(503, {})
    upstream.script = one_after_another(down, down, says("a"))
    body = {"model": "a", "messages": HELLO}
    ask(
        upstream.url, "POST", "/v1/chat/completions", body,
        UPSTREAM_RETRIES="1", FALLBACK_MODELS="a=b",
    )  # fmt: skip
    fields = logged(capsys)
    assert (fields["retries"], fields["model"], fields["outcome"]) == (2, "b", "ok")


def test_failure_is_logged_with_its_figures_and_without_a_word_of_either_side(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("private answer")))
    body = {"model": "m", "messages": [{"role": "user", "content": "private question"}]}
    headers = {"authorization": "Bearer fk-private", "cookie": "private"}
    reply = ask(
        upstream.url, "POST", "/v1/chat/completions", body,
        headers=headers, FUNCTION_URL_AUTH="none", FORWARD_KEY="fk-private",
    )  # fmt: skip
    fields = logged(capsys)
    assert (fields["status"], fields["outcome"]) == (200, "upstream_incomplete")
    assert (fields["bytes"], fields["chunks"]) == (len(reply.body), 2)
    assert "private" not in json.dumps(fields)
    assert SECRET not in json.dumps(fields)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "private prompt", "code": "c"}}),
        (401, {"error": {"message": f"wrong key {SECRET}"}}),
        (500, "private"),
    ],
)
def test_refusal_is_logged_by_its_status_and_not_by_its_words(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str], status: int, body: object
) -> None:
    upstream.script = replies(status, body)
    ask(upstream.url, path="/v1/models")
    fields = logged(capsys)
    assert (fields["status"], fields["outcome"]) == (status, "upstream_refused")
    assert fields["detail"] == f"The upstream answered with status {status}."
    assert not any(part in json.dumps(fields) for part in ("private", SECRET))


def test_request_that_is_not_let_in_is_logged_without_its_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    headers = {"authorization": "Bearer private"}
    ask(
        refused_url(), path="/v1/models", headers=headers,
        FUNCTION_URL_AUTH="none", FORWARD_KEY="fk-1",
    )  # fmt: skip
    fields = logged(capsys)
    assert (fields["status"], fields["outcome"]) == (401, "invalid_api_key")
    assert "private" not in json.dumps(fields)
    assert "provider" not in fields


def test_log_names_who_showed_a_key_without_saying_it(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": "fk-of-somebody"}
    headers = {"authorization": "Bearer fk-of-somebody"}
    ask(upstream.url, "GET", "/v1/models", headers=headers, settings=settings)
    principal = logged(capsys)["principal"]
    assert principal == key_name("fk-of-somebody")
    assert "fk-of" not in principal


def test_forward_key_in_the_query_is_not_for_the_provider(upstream: ScriptedUpstream) -> None:
    settings = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": "fk-of-some+body"}
    headers = {"authorization": "Bearer fk-of-some+body"}
    query = "limit=2&key=fk-of-some%2Bbody&key=another"
    ask(upstream.url, "GET", "/v1/models", headers=headers, settings=settings, raw_query=query)
    assert upstream.requests[0].target == "/v1/models?limit=2&key=another"


@pytest.mark.parametrize("response_type", ["full", "string"])
def test_gateways_key_is_masked_in_texts(upstream: ScriptedUpstream, response_type: str) -> None:
    upstream.script = says(f"[[{SECRET}]]")
    request = {"messages": HELLO, "response_type": response_type}
    assert b"[key]" in ask(upstream.url, "POST", "/", request).body
