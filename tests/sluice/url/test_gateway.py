"""The Function URL's answers and log lines, from its event to the bytes of the reply."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sluice.authentication import principal_of_key
from sluice.settings import DEFAULT_MODEL
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    GatedAnswer,
    answer_stream,
    chunk,
    delta,
    dies_after,
    refused_url,
    replies,
    says,
    scripted_upstream,
    sends,
)
from tests.sluice.answering import SECRET
from tests.sluice.aws.aws_environment import environ_of
from tests.sluice.url.asking import HELLO, LOCK, Reply, UrlBench, answer_to, event_of, gateway_of

if TYPE_CHECKING:
    import socket

    from tests.scripted_upstream import UpstreamRequest

ONE, TWO = "fk-1-0123456789ab", "fk-2-0123456789ab"
BEARER = {"authorization": f"Bearer {LOCK['FORWARD_KEY']}"}


def test_text_is_sent_before_its_answer_is_kept(bench: UrlBench) -> None:
    reply, was_sent = Reply(), list[bool]()

    def table(request: UpstreamRequest, connection: socket.socket) -> None:
        if request.headers["x-amz-target"].endswith("PutItem"):
            was_sent.append(reply.ended)
        replies(200, {})(request, connection)

    own = {"OPENAI_BASE_URL": bench.upstream.url, "OPENAI_API_KEY": SECRET, "CACHE_TABLE": "t"}
    cache = {"CACHE_CHAT_COMPLETION": "true", "CACHE_BACKEND": "DYNAMODB", "CACHE_SCOPE": "all"}
    with scripted_upstream() as dynamodb:
        dynamodb.script = table
        gateway = gateway_of(**own, **cache, **environ_of(dynamodb.url))
        template = {"messages": HELLO, "response_type": "full"}
        answer_to(event_of("POST", "/", template), gateway, reply=reply)
    assert (reply.body, was_sent) == (b"Hello", [True])


def test_message_in_the_query_is_streamed_as_the_upstreams_bytes(bench: UrlBench) -> None:
    reply = bench.hello()
    assert reply.metadata == {
        "statusCode": 200,
        "headers": {
            "content-type": "text/event-stream",
            "x-request-id": "req_upstream",
            "cache-control": "no-cache",
            "x-accel-buffering": "no",
        },
    }
    assert reply.body == answer_stream(["Hel", "lo"])
    assert bench.upstream.requests[0].document["messages"] == HELLO


@pytest.mark.parametrize(
    ("response_type", "texts", "content_type", "body"),
    [
        ("stream", ["a", "b"], "text/event-stream", answer_stream(["a", "b"])),
        ("full", ["a ", "é"], "text/plain; charset=utf-8", "a é".encode()),
        ("full", [], "text/plain; charset=utf-8", b"\n"),
        ("int", ["It is [[4", "2]]"], "text/plain; charset=utf-8", b"42"),
        ("full", ["\ud83d"], "text/plain; charset=utf-8", "\ufffd".encode()),
        ("full", ["a\ud83d", "\ude00b"], "text/plain; charset=utf-8", "a😀b".encode()),
        ("string", ["[[\ud83d", "\ude00]]"], "text/plain; charset=utf-8", "😀".encode()),
    ],
)
def test_template_request(
    bench: UrlBench, response_type: str, texts: list[str], content_type: str, body: bytes
) -> None:
    bench.upstream.script = says(*texts)
    request = {"prompt_template": "PROMPT_A", "messages": HELLO, "response_type": response_type}
    reply = bench.ask("POST", "/", request, PROMPT_A="Be brief.")
    assert (reply.body, reply.headers["content-type"]) == (body, content_type)
    system = {"role": "system", "content": "Be brief."}
    assert bench.upstream.requests[0].document["messages"] == [system, *HELLO]


@pytest.mark.parametrize("path", ["/", "/v1/chat/completions"])
def test_native_request_and_its_answer_stay_untouched(bench: UrlBench, path: str) -> None:
    bench.upstream.script = replies(200, {"choices": [], "strange": 1})
    sent = b'{ "model":"m",  "messages":[], "tools":[{}] }'
    reply = bench.ask("POST", path, sent)
    assert bench.upstream.requests[0].body == sent
    assert json.loads(reply.body) == {"choices": [], "strange": 1}
    assert reply.headers == {"content-type": "application/json"}


def test_first_delta_is_written_before_the_upstream_sends_the_second(bench: UrlBench) -> None:
    bench.upstream.script = gated = GatedAnswer("one", "two")

    class OpeningReply(Reply):
        def write(self, data: bytes, /) -> int:
            assert gated.sent == ["one", "two"][: len(self.writes) + 1]
            gated.open()
            return super().write(data)

    gated.open()
    event = event_of("GET", "/", query={"message": "Hello"})
    reply = answer_to(event, gateway_of(OPENAI_BASE_URL=bench.upstream.url), reply=OpeningReply())
    assert reply.writes[:2] == [delta("one"), delta("two")]


def test_health_and_description_need_neither_key_nor_model(bench: UrlBench) -> None:
    for method in ("GET", "HEAD"):
        for path in ("/healthz", "//healthz", "/healthz/"):
            assert bench.ask(method, path, settings=LOCK).body == b'{"status":"ok"}'
        for path in ("/", "//"):
            assert json.loads(bench.ask(method, path, settings=LOCK).body)["service"] == "sluice"
    assert bench.targets == []


@pytest.mark.parametrize(
    ("method", "path", "body", "refusal"),
    [
        ("POST", "/", b"{", (400, "invalid_json")),
        ("POST", "/", b"", (400, "invalid_json")),
        ("POST", "/v1/chat/completions", b"[1]", (400, "invalid_json")),
        ("POST", "/", {"messages": HELLO, "response_type": "xml"}, (400, "invalid_field")),
        (
            "POST",
            "/",
            {"messages": HELLO, "prompt_template": "OPENAI_API_KEY"},
            (400, "prompt_template_not_allowed"),
        ),
        (
            "POST",
            "/",
            {"messages": HELLO, "prompt_template": "PROMPT_NONE"},
            (400, "prompt_template_not_found"),
        ),
        ("GET", "/v2/anything", None, (404, "unknown_path")),
        ("DELETE", "/", None, (405, "method_not_allowed")),
        ("TRACE", "/v1/models", None, (405, "method_not_allowed")),
    ],
)
def test_wrong_request_is_an_error_of_openais_shape(
    bench: UrlBench, method: str, path: str, body: object, refusal: tuple[int, str]
) -> None:
    reply = bench.ask(method, path, body)
    assert reply.refusal == refusal
    assert reply.headers["content-type"] == "application/json"
    assert bench.targets == []


def test_empty_message_is_a_wrong_field(bench: UrlBench) -> None:
    assert bench.ask(query={"message": ""}).refusal == (400, "invalid_field")


def test_wrong_method_names_the_right_ones(bench: UrlBench) -> None:
    assert bench.ask("PUT", "//").headers["Allow"] == "HEAD, GET, POST"
    reply = bench.ask("HEAD", query={"message": "Hello"})  # would pay for an unread answer
    assert (reply.refusal[0], reply.headers["Allow"]) == (405, "GET")
    assert bench.targets == []


def test_content_type_matters_only_if_the_body_is_not_json(bench: UrlBench) -> None:
    csv, form = {"content-type": "text/csv"}, {"content-type": "application/x-www-form-urlencoded"}
    assert bench.ask("POST", "/", b"a,b", headers=csv).refusal == (415, "unsupported_media_type")
    assert bench.ask("POST", "/", {"messages": HELLO}, headers=csv).status == 200
    # curl -d calls JSON a form.
    assert bench.ask("POST", "/", b"{", headers=form).refusal == (400, "invalid_json")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TWO}"},
        {"api-key": ONE},
        {"x-api-key": TWO},
    ],
)
def test_forward_key_opens_a_url_without_iam(bench: UrlBench, headers: dict[str, str]) -> None:
    reply = bench.hello(
        headers=headers,
        FUNCTION_URL_AUTH="none",
        FORWARD_KEY=f"{ONE},{TWO}",
    )
    assert reply.status == 200
    assert bench.upstream.requests[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer fk-3"},
        {"authorization": ONE},
        {"authorization": f"Bearer {SECRET}"},
        {"authorization": "Bearer \udcff"},  # a byte that is not UTF-8
        {"api-key": "é"},
    ],
)
@pytest.mark.parametrize("keys", [f"{ONE},{TWO}", ""])
def test_unknown_key_is_401_and_the_model_is_not_asked(
    bench: UrlBench, headers: dict[str, str], keys: str
) -> None:
    for method, path, query in [
        ("GET", "/", {"message": "x"}),
        ("POST", "/", {}),
        ("POST", "/v1/chat/completions", {}),
        ("HEAD", "/v1/x", {}),
        ("DELETE", "/v1/files/f", {}),
    ]:
        body = {"messages": HELLO}
        lock = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": keys}
        reply = bench.ask(method, path, body, query=query, headers=headers, settings=lock)
        assert reply.refusal == (401, "invalid_api_key")
        assert reply.headers["x-should-retry"] == "false"
    assert bench.targets == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/", "/v1/chat/completions"])
def test_url_that_should_require_signatures_and_does_not_is_closed(
    bench: UrlBench, method: str, path: str
) -> None:
    event = event_of(method, path, {"messages": HELLO}, query={"message": "x"})
    event["requestContext"]["accountId"] = "anonymous"  # as Lambda reports auth type NONE
    reply = answer_to(event, gateway_of(OPENAI_BASE_URL=bench.upstream.url))
    assert reply.refusal == (500, "misconfigured")
    assert bench.logged()["detail"].startswith("FUNCTION_URL_AUTH is aws_iam, but")
    assert bench.targets == []


def test_log_line_has_the_figures_of_a_request(bench: UrlBench) -> None:
    reply = bench.hello(headers=BEARER, settings=LOCK)
    fields = bench.logged()
    for name in ("first_byte_ms", "total_ms"):
        assert fields.pop(name) >= 0
    assert fields == {
        "request_id": "r-1",
        "transport": "url",
        "outcome": "ok",
        "method": "GET",
        "path": "/",
        "principal": principal_of_key(LOCK["FORWARD_KEY"]).name,
        "provider": "openai",
        "model": DEFAULT_MODEL,
        "retries": 0,
        "upstream_request_id": "req_upstream",
        "status": 200,
        "bytes": len(reply.body),
        "chunks": 1,
        "usage": {"total_tokens": 3},
    }


@pytest.mark.parametrize("name", ["x_request_id", "apim_request_id", "x_amzn_RequestId"])
@pytest.mark.parametrize("status", [200, 400])
def test_upstreams_name_for_the_request_is_logged(bench: UrlBench, name: str, status: int) -> None:
    bench.upstream.script = replies(status, {"error": {"message": "m"}}, **{name: "u-1"})
    bench.ask(path="/v1/models")
    assert bench.logged()["upstream_request_id"] == "u-1"


def test_failure_is_logged_with_its_figures_and_nothing_that_was_said(bench: UrlBench) -> None:
    bench.upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("private answer")))
    body = {"model": "m", "messages": [{"role": "user", "content": "private question"}]}
    headers = {**BEARER, "cookie": "private"}
    reply = bench.ask("POST", "/v1/chat/completions", body, headers=headers, settings=LOCK)
    fields = bench.logged()
    assert (fields["status"], fields["outcome"]) == (200, "upstream_incomplete")
    assert (fields["bytes"], fields["chunks"]) == (len(reply.body), 2)
    assert not any(p in json.dumps(fields) for p in ("private", SECRET, LOCK["FORWARD_KEY"]))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "private prompt", "code": "c"}}),
        (401, {"error": {"message": f"wrong key {SECRET}"}}),
        (500, "private"),
    ],
)
def test_upstreams_error_is_logged_by_its_status_and_not_by_its_words(
    bench: UrlBench, status: int, body: object
) -> None:
    bench.upstream.script = replies(status, body)
    bench.ask(path="/v1/models")
    fields = bench.logged()
    assert (fields["status"], fields["outcome"]) == (status, "upstream_refused")
    assert fields["detail"].startswith(f"The upstream answered with status {status}.")
    assert not any(part in json.dumps(fields) for part in ("private", SECRET))


def test_rejected_request_is_logged_without_its_key(bench: UrlBench) -> None:
    bench.ask(path="/v1/models", headers={"authorization": "Bearer private"}, settings=LOCK)
    fields = bench.logged()
    assert (fields["status"], fields["outcome"]) == (401, "invalid_api_key")
    assert "private" not in json.dumps(fields)
    assert "provider" not in fields


def test_forward_key_in_the_query_is_not_for_the_provider(bench: UrlBench) -> None:
    lock = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": "fk-of-some+body-else"}
    headers = {"authorization": "Bearer fk-of-some+body-else"}
    query = "limit=2&key=fk-of-some%2Bbody-else&key=another"
    bench.ask(path="/v1/models", headers=headers, raw_query=query, settings=lock)
    assert bench.targets == ["/v1/models?limit=2&key=another"]


def test_upstream_that_is_not_there_is_502(bench: UrlBench) -> None:
    reply = bench.hello(OPENAI_BASE_URL=refused_url())
    assert reply.refusal == (502, "upstream_unreachable")


def test_path_and_headers_may_hold_bytes_that_are_not_text(bench: UrlBench) -> None:
    bench.upstream.script = sends(b"[]", "application/json", x_odd="a\x01b", x_tab="a\tb")
    reply = bench.ask("GET", "/v1/models/\udcff")
    assert (reply.status, bench.targets) == (200, ["/v1/models/%FF"])
    assert "x-odd" not in reply.headers  # no reply can hold it
    assert reply.headers["x-tab"] == "a\tb"
