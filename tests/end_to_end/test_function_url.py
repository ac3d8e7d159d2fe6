"""The Function URL of the whole stack, called by curl and requests."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import requests

from tests.end_to_end.conftest import FORWARD_KEY, PAGE_ORIGIN, PROMPT, PROVIDER_KEY
from tests.end_to_end.curl import SIGNED, curl
from tests.running_stack import PATIENCE_S, RunningStack
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    GatedAnswer,
    ScriptedUpstream,
    answer_stream,
    chunk,
    delta,
    dies_after,
    replies,
    says,
    sends,
)

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
EVERY_BYTE = bytes(range(256)) * 300


def post(stack: RunningStack, body: object) -> tuple[str, ...]:
    """curl's arguments for a signed POST."""
    data = body if isinstance(body, str) else json.dumps(body)
    return (*SIGNED, "-H", "content-type: application/json", "-d", data, f"{stack.url}/")


def call(stack: RunningStack, method: str, path: str, **options: Any) -> requests.Response:
    """The reply to a request that shows the forward key."""
    headers = {"Authorization": f"Bearer {FORWARD_KEY}", **options.pop("headers", {})}
    return requests.request(
        method, stack.url + path, headers=headers, timeout=PATIENCE_S, **options
    )


def test_signed_curl_prints_the_upstreams_events_unchanged(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    reply = curl(*SIGNED, f"{signed_stack.url}/?message=Hello")
    assert (reply.status, reply.body) == (200, answer_stream(["Hel", "lo"]))
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["x-request-id"] == "req_upstream"
    (request,) = upstream.requests
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert request.document["messages"] == HELLO


def test_first_delta_reaches_curl_before_the_upstream_sends_the_second(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = gated = GatedAnswer("one", "two")
    with subprocess.Popen(
        ["curl", "-sN", *SIGNED, f"{signed_stack.url}/?message=Hello"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        gated.open()
        assert process.stdout.readline() + process.stdout.readline() == delta("one")
        assert gated.sent == ["one"]
        gated.open(2)
        assert process.stdout.readline() + process.stdout.readline() == delta("two")
        assert process.wait(PATIENCE_S) == 0


def test_request_without_a_valid_signature_is_403(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    for signature in ((), (*SIGNED[:-1], "local:wrong"), (*SIGNED[:-1], "other:local")):
        reply = curl(*signature, f"{signed_stack.url}/?message=Hello")
        assert reply.status == 403
        assert reply.headers["x-amzn-errortype"].endswith("Exception")
    assert upstream.requests == []


def test_template_request_is_answered_as_text(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("[[4", "2]]")
    template = {"prompt_template": "PROMPT_TEST", "messages": HELLO, "response_type": "int"}
    reply = curl(*post(signed_stack, template))
    assert (reply.status, reply.body) == (200, b"42")
    system = {"role": "system", "content": PROMPT}
    assert upstream.requests[0].document["messages"] == [system, *HELLO]


def test_errors_are_clear_and_the_next_request_works(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    refusal = replies(429, {"error": {"message": f"key {PROVIDER_KEY}", "code": "c"}})
    secret_template = {"messages": HELLO, "prompt_template": "OPENAI_API_KEY"}
    for body, script, status, code in (
        ("[" * 100_000, says(), 400, "invalid_json"),
        (secret_template, says(), 400, "prompt_template_not_allowed"),
        ({"messages": HELLO}, refusal, 429, "c"),
    ):
        upstream.script = script
        reply = curl(*post(signed_stack, body))
        assert (reply.status, reply.error_code) == (status, code)
        assert PROVIDER_KEY.encode() not in reply.body
        upstream.script = says("fine")
        assert curl(*post(signed_stack, {"messages": HELLO})).body == answer_stream(["fine"])


def test_answer_that_breaks_off_is_visibly_incomplete(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))
    reply = curl(*post(signed_stack, {"messages": HELLO}))
    assert (reply.status, reply.exit_code) == (200, 0)
    assert reply.body.startswith(delta("half") + b'data: {"error": ')
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    upstream.script = dies_after(head + b'{"half":')
    assert curl(*post(signed_stack, {"model": "m", "messages": []})).exit_code != 0


def test_bytes_of_every_kind_go_up_and_come_down_unchanged(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = sends(EVERY_BYTE, "audio/mpeg", content_disposition="attachment")
    reply = call(
        keyed_stack, "PUT", "/v1/what/comes%20next?b=2&a=%2F&flag", data=EVERY_BYTE[::-1],
        headers={"Content-Type": "image/png", "Cookie": "c=1", "X-Title": "Größe".encode()},
    )  # fmt: skip
    assert (reply.status_code, reply.content) == (200, EVERY_BYTE)
    assert reply.headers["content-disposition"] == "attachment"
    (request,) = upstream.requests
    assert (request.method, request.body) == ("PUT", EVERY_BYTE[::-1])
    assert request.target == "/v1/what/comes%20next?b=2&a=%2F&flag"
    assert (request.headers["content-type"], request.headers["x-title"]) == ("image/png", "Größe")
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert not any(name.startswith(("cookie", "x-amz", "x-forwarded")) for name in request.headers)


def test_head_is_answered_without_a_body(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = sends(EVERY_BYTE, "audio/mpeg", etag='"e"')
    for _ in range(2):  # what is left of one reply would be the beginning of the next
        reply = call(keyed_stack, "HEAD", "/v1/files/file-1/content")
        assert (reply.status_code, reply.content) == (200, b"")
        assert (reply.headers["content-type"], reply.headers["etag"]) == ("audio/mpeg", '"e"')
    assert [request.method for request in upstream.requests] == ["HEAD", "HEAD"]


def test_page_of_an_allowed_origin_may_read_answers_and_others_may_not(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    for origin, allowed in ((PAGE_ORIGIN, PAGE_ORIGIN), ("https://other.example", None)):
        url, headers = keyed_stack.url + CHAT, {"Origin": origin, **preflight}
        permission = requests.options(url, headers=headers, timeout=PATIENCE_S).headers
        assert permission.get("Access-Control-Allow-Origin") == allowed
        if allowed:  # a * would not cover Authorization
            assert "authorization" in permission["Access-Control-Allow-Headers"].lower()
        headers = {"Origin": origin}
        reply = call(keyed_stack, "POST", CHAT, json={"messages": HELLO}, headers=headers)
        assert reply.headers.get("Access-Control-Allow-Origin") == allowed
    assert len(upstream.requests) <= 2
