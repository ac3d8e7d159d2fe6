"""The Function URL, called by curl and requests."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from typing import Any

import requests

from sluice.aws.sigv4 import Credentials, Scope, presign, sign
from tests.end_to_end.conftest import FORWARD_KEY, PROMPT, PROVIDER_KEY
from tests.end_to_end.curl import SIGNED, curl
from tests.running_stack import PATIENCE_S, RunningStack, ready_service
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    GatedAnswer,
    ScriptedUpstream,
    answer_stream,
    chunk,
    delta,
    dies_after,
    hangs_up,
    one_after_another,
    replies,
    says,
    sends,
    sse,
)

HELLO = [{"role": "user", "content": "Hello"}]
LOCAL = Credentials("local", "local")
KEYED = {"Authorization": f"Bearer {FORWARD_KEY}"}
EVERY_BYTE = bytes(range(256)) * 300


def post(stack: RunningStack, body: object, path: str = "/") -> tuple[str, ...]:
    """curl's arguments for a signed POST."""
    data = body if isinstance(body, str) else json.dumps(body)
    return (*SIGNED, "-H", "content-type: application/json", "-d", data, stack.url + path)


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
    gated = GatedAnswer("one", "two")
    upstream.script = gated
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


def test_signature_of_our_own_helper_is_accepted(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    scope = Scope("us-east-1", "lambda", datetime.now(UTC))
    url, body = f"{signed_stack.url}/a%20b/%C3%A9?z=1&a=%2F&a=", b"{}"
    headers = sign("POST", url, body, LOCAL, scope, {"content-type": "application/json"})
    reply = requests.post(
        url, data=body, headers={**headers, "content-type": "application/json"}, timeout=PATIENCE_S
    )
    assert reply.json()["error"]["code"] == "unknown_path"  # past the signature
    presigned = presign("GET", f"{signed_stack.url}/?message=Hello", LOCAL, scope)
    assert requests.get(presigned, timeout=PATIENCE_S).content == answer_stream(["Hel", "lo"])
    assert requests.get(presigned + "0", timeout=PATIENCE_S).status_code == 403
    assert len(upstream.requests) == 1


def test_template_request_is_answered_as_text(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    for response_type, texts, body in (
        ("full", ["all ", "of it"], b"all of it"),
        ("int", ["[[4", "2]]"], b"42"),
        ("string", ["[[x]]"], b"x"),
    ):
        upstream.script = says(*texts)
        template = {"prompt_template": "PROMPT_TEST", "messages": HELLO}
        reply = curl(*post(signed_stack, {**template, "response_type": response_type}))
        assert (reply.status, reply.body) == (200, body)
        system = {"role": "system", "content": PROMPT}
        assert upstream.requests[-1].document["messages"][0] == system


def test_bad_requests_are_clear_errors_and_the_next_request_works(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    cases: list[tuple[object, int, str]] = [
        ("{", 400, "invalid_json"),
        ("[" * 100_000, 400, "invalid_json"),
        ({"messages": HELLO, "response_type": "xml"}, 400, "invalid_field"),
        (
            {"messages": HELLO, "prompt_template": "OPENAI_API_KEY"},
            400,
            "prompt_template_not_allowed",
        ),
        ({"messages": HELLO, "prompt_template": "PATH"}, 400, "prompt_template_not_allowed"),
    ]
    for body, status, code in cases:
        reply = curl(*post(signed_stack, body))
        assert (reply.status, reply.error_code) == (status, code)
        assert curl(*post(signed_stack, {"messages": HELLO})).status == 200
    assert len(upstream.requests) == len(cases)


def test_upstreams_error_passes_and_the_next_request_works(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    error = {"message": f"key {PROVIDER_KEY}", "type": "t", "param": None, "code": "c"}
    for status in (401, 429, 500):
        upstream.script = replies(status, {"error": error}, retry_after="30")
        reply = curl(*post(signed_stack, {"messages": HELLO}))
        assert (reply.status, reply.error_code, reply.headers["retry-after"]) == (status, "c", "30")
        assert PROVIDER_KEY.encode() not in reply.body
        upstream.script = says("fine")
        assert curl(*post(signed_stack, {"messages": HELLO})).body == answer_stream(["fine"])


def test_upstream_that_dies_in_the_middle_ends_with_an_error_event(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))
    reply = curl(*post(signed_stack, {"messages": HELLO}))
    assert (reply.status, reply.exit_code) == (200, 0)
    assert reply.body.startswith(delta("half") + b'data: {"error": ')


def test_json_answer_cut_short_is_visibly_incomplete(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    upstream.script = dies_after(head + b'{"half":')
    reply = curl(*post(signed_stack, {"model": "m", "messages": []}))
    assert reply.exit_code != 0
    upstream.script = says("fine")
    assert curl(*post(signed_stack, {"messages": HELLO})).status == 200


def call(stack: RunningStack, method: str, path: str, **options: Any) -> requests.Response:
    """The reply to a request that shows the forward key."""
    headers = {**KEYED, **options.pop("headers", {})}
    return requests.request(
        method, stack.url + path, headers=headers, timeout=PATIENCE_S, **options
    )


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


def test_head_is_asked_and_answered_without_a_body(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = sends(EVERY_BYTE, "audio/mpeg", etag='"e"')
    for _ in range(2):  # what is left of one reply would be the beginning of the next
        reply = call(keyed_stack, "HEAD", "/v1/files/file-1/content")
        assert (reply.status_code, reply.content) == (200, b"")
        assert (reply.headers["content-type"], reply.headers["etag"]) == ("audio/mpeg", '"e"')
    assert [request.method for request in upstream.requests] == ["HEAD", "HEAD"]


def test_upstream_that_fails_at_first_is_asked_again(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    busy = replies(429, {}, retry_after_ms="1")
    upstream.script = one_after_another(busy, hangs_up, says("fine"))
    reply = call(keyed_stack, "POST", "/v1/chat/completions", json={"messages": HELLO})
    assert reply.content == answer_stream(["fine"])
    assert len(upstream.requests) == 3


def test_azure_behind_the_url(upstream: ScriptedUpstream) -> None:
    events = sse({"choices": []}) + b"data: [DONE]\n"
    upstream.script = one_after_another(replies(503, {}), sends(events, "text/event-stream"))
    with ready_service(
        AZURE_OPENAI_ENDPOINT=upstream.url.removesuffix("/v1"),
        AZURE_OPENAI_APIVERSION="2024-10-21",
        AZURE_OPENAI_MODEL_MAPPER="gpt-4=four,gpt-5=five",
        OPENAI_API_KEY=PROVIDER_KEY,
        FORWARD_KEY=FORWARD_KEY,
        FUNCTION_URL_AUTH="none",
        UPSTREAM_RETRIES="0",
        FALLBACK_MODELS="gpt-4=gpt-5",
    ) as stack:
        models = call(stack, "GET", "/v1/models").json()["data"]
        assert {"gpt-4", "gpt-5"} <= {model["id"] for model in models}
        body = {"model": "gpt-4", "messages": HELLO, "stream": True}
        assert call(stack, "POST", "/v1/chat/completions", json=body).content == events + b"\n"
    assert [request.target for request in upstream.requests] == [
        f"/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21"
        for deployment in ("four", "five")
    ]
    assert {request.headers["api-key"] for request in upstream.requests} == {PROVIDER_KEY}
    assert not any("authorization" in request.headers for request in upstream.requests)
    logged = stack.text()
    assert '"deployment": "five"' in logged
    assert PROVIDER_KEY not in logged
    assert FORWARD_KEY not in logged
