"""The Function URL over real sockets, with functions that follow a script."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKeys

from local.errors import FunctionFailure
from local.function_url.server import trace_for
from local.http.sigv4_verification import SignatureCheck
from local.invocation import AnswerHead, AnswerReceiver
from local.limits import MAX_REQUEST_BYTES
from local.project.environment import Credentials
from tests.local.function_url.url_bench import serving
from tests.local.runtime_api.scripted_invoker import (
    HTTP,
    Script,
    buffered,
    failing,
    give,
    prelude,
    streamed,
)

FAILURE = FunctionFailure("E", "m")


async def test_each_piece_reaches_the_client_before_the_next_is_made() -> None:
    more: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(_event: Any, receiver: AnswerReceiver) -> None:
        receiver.begin(AnswerHead(streaming=True, content_type=HTTP))
        while data := await more.get():
            receiver.piece(data)

    async with serving(script) as it:
        client = await it.client()
        client.send("GET", "/")
        more.put_nowait(prelude(statusCode=201, headers={"Content-Type": "text/plain"}))
        status, headers = await client.head()
        assert (status, headers["content-type"]) == (201, ["text/plain"])
        for piece in (b"one", b"two"):
            more.put_nowait(piece)
            assert await client.chunk() == piece
        more.put_nowait(b"")
        assert await client.chunk() == b""


async def test_prelude_sets_status_headers_and_cookies() -> None:
    head = prelude(
        statusCode=404, headers={"X-Mine": "yes", "Connection": "close"}, cookies=["a=1", "b=2"]
    )
    async with serving(streamed(head + b"body")) as it:
        answer = await it.ask("GET", "/")
        assert (answer.status, answer.body, answer.whole) == (404, b"body", True)
        assert answer.headers["set-cookie"] == ["a=1", "b=2"]
        assert answer.header("x-mine") == "yes"
        assert "connection" not in answer.headers
        assert answer.header("x-amzn-requestid")
        assert answer.header("x-amzn-trace-id").startswith("Root=1-")


async def test_stream_without_a_prelude_is_a_200_of_its_own_type() -> None:
    async with serving(streamed(b"h", b"i", content_type="text/csv")) as it:
        answer = await it.ask("GET", "/")
        assert (answer.status, answer.body) == (200, b"hi")
        assert answer.header("content-type") == "text/csv"


@pytest.mark.parametrize("content_type", ["", HTTP, "application/octet-stream"])
async def test_stream_of_nothing_at_all_is_an_empty_200(content_type: str) -> None:
    async with serving(streamed(content_type=content_type)) as it:
        answer = await it.ask("GET", "/")
        assert (answer.status, answer.body, answer.whole) == (200, b"", True)
        assert answer.header("content-type") == "application/octet-stream"


async def test_buffered_answer_is_inferred_and_has_a_length() -> None:
    async with serving(buffered({"statusCode": 201, "body": "hi", "cookies": ["a=1"]})) as it:
        answer = await it.ask("GET", "/")
        assert (answer.status, answer.body) == (201, b"hi")
        assert answer.header("content-length") == "2"
        assert answer.headers["set-cookie"] == ["a=1"]


@pytest.mark.parametrize(
    "script",
    [
        failing(),
        streamed(failure=FAILURE),
        streamed(content_type="text/plain", failure=FAILURE),
        streamed(b"no prelude"),
        streamed(b"no json" + b"\0" * 8 + b"body"),
        streamed(prelude(statusCode=1) + b"body", b"more"),
        buffered({"statusCode": "x"}),
    ],
)
async def test_failure_before_the_first_byte_is_a_502(script: Script) -> None:
    async with serving(script) as it:
        answer = await it.ask("GET", "/")
        assert (answer.status, answer.body) == (502, b"Internal Server Error")
        assert answer.header("x-amzn-requestid")


async def test_failure_after_the_first_byte_truncates_what_was_sent() -> None:
    async with serving(streamed(prelude() + b"half", failure=FAILURE)) as it:
        answer = await it.ask("GET", "/")
        assert (answer.status, answer.body, answer.whole) == (200, b"half", False)


async def test_client_that_goes_away_does_not_interrupt_the_function() -> None:
    gone = asyncio.Event()

    async def script(_event: Any, receiver: AnswerReceiver) -> None:
        receiver.begin(AnswerHead(streaming=True, content_type=HTTP))
        receiver.piece(prelude() + b"first")
        await gone.wait()
        for _ in range(100):
            await give(receiver, b"x" * 100_000)

    async with serving(script) as it:
        client = await it.client()
        client.send("GET", "/")
        await client.head()
        client.writer.transport.abort()
        gone.set()
        assert await it.invoker.invocations[0].outcome is None
        assert (await (await it.client()).ask("GET", "/")).status == 200


async def test_slow_client_holds_the_function_back() -> None:
    sent = 0

    async def script(_event: Any, receiver: AnswerReceiver) -> None:
        nonlocal sent
        receiver.begin(AnswerHead(streaming=True, content_type=HTTP))
        receiver.piece(prelude())
        for _ in range(32):
            await give(receiver, b"x" * 1024 * 1024)
            sent += 1

    async with serving(script) as it:
        client = await it.client()
        client.send("GET", "/")
        await client.head()
        outcome = it.invoker.invocations[0].outcome
        await asyncio.wait([outcome], timeout=0.2)
        assert sent < 32
        while await client.chunk():
            pass
        assert await outcome is None


async def test_request_becomes_an_event() -> None:
    async with serving(streamed(prelude())) as it:
        await it.ask(
            "POST", "/a%20b?q=1&q=2", b'{"x":1}', content_type="application/json", cookie="a=1"
        )
        event = await it.invoker.events.get()
        assert event["rawPath"] == "/a%20b"
        assert event["rawQueryString"] == "q=1&q=2"
        assert event["body"] == '{"x":1}'
        assert event["cookies"] == ["a=1"]
        assert event["headers"]["host"] == "url.local"
        assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
        assert event["headers"]["x-forwarded-proto"] == "http"
        assert event["headers"]["x-forwarded-port"] == "80"
        assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
        assert event["requestContext"]["http"]["method"] == "POST"
        assert "authorizer" not in event["requestContext"]


async def test_compressed_body_is_passed_on_as_it_is() -> None:
    async with serving(streamed(prelude())) as it:
        await it.ask("POST", "/", b"\x1f\x8bnot really", content_encoding="gzip")
        assert (await it.invoker.events.get())["isBase64Encoded"] is True


async def test_client_that_leaves_inside_its_body_calls_nothing() -> None:
    async with serving(streamed(prelude())) as it:
        client = await it.client()
        client.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
        client.writer.write_eof()
        assert await client.reader.read() == b""
        assert it.invoker.events.empty()


async def test_client_that_waits_for_a_100_is_told_to_continue() -> None:
    async with serving(streamed(prelude())) as it:
        client = await it.client()
        client.send("POST", "/", b"", **{"expect": "100-continue", "content-length": "5"})
        assert await client.head() == (100, {})
        client.writer.write(b"hello")
        assert (await client.answer()).status == 200


async def test_body_of_the_largest_size_passes_and_a_larger_one_does_not() -> None:
    async with serving(streamed(prelude())) as it:
        await it.ask("POST", "/", b"x", content_type="text/plain")
        event = await it.invoker.events.get()
        room = MAX_REQUEST_BYTES - len(json.dumps(event, separators=(",", ":")))
        client = await it.client()
        answer = await client.ask("POST", "/", b"x" * (room - 64), content_type="text/plain")
        assert answer.status == 200
        answer = await client.ask("POST", "/", b"x" * (room + 64), content_type="text/plain")
        assert answer.status == 413
        assert answer.header("x-amzn-errortype") == "RequestEntityTooLargeException"
        assert b"Request must be smaller than 6291456 bytes" in answer.body


async def test_base64_of_a_binary_body_counts_as_it_does_in_the_event() -> None:
    async with serving(streamed(prelude())) as it:
        body = bytes(range(256)) * (MAX_REQUEST_BYTES // 4 * 3 // 256)
        answer = await it.ask("POST", "/", body, content_type="audio/wav")
        assert answer.status == 413
        assert it.invoker.events.empty()
        answer = await it.ask("POST", "/", body[:-4096], content_type="audio/wav")
        assert answer.status == 200
        event = await it.invoker.events.get()
        assert base64.b64decode(event["body"]) == body[:-4096]


async def test_body_over_the_limit_is_not_read_to_its_end() -> None:
    async with serving(streamed(prelude())) as it:
        assert (await it.ask("POST", "/", b"x" * (MAX_REQUEST_BYTES + 1))).status == 413
        client = await it.client()
        client.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.writer.write(b"%x\r\n" % (MAX_REQUEST_BYTES + 1) + b"x" * (MAX_REQUEST_BYTES + 1))
        client.method = "POST"
        assert (await client.answer()).status == 413
        assert it.invoker.events.empty()


async def test_answer_of_any_bytes_arrives_as_it_was_sent() -> None:
    body = bytes(range(256)) * 64
    pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    async with serving(streamed(prelude(headers={"content-type": "audio/mpeg"}), *pieces)) as it:
        answer = await it.ask("GET", "/")
        assert (answer.header("content-type"), answer.body) == ("audio/mpeg", body)


CHECK = SignatureCheck(Credentials("local", "local"), "lambda", "us-east-1")


def signature(target: str, body: bytes, secret: str) -> dict[str, str]:
    request = AWSRequest(method="POST", url=f"http://url.local{target}", data=body)
    request.headers["Host"] = "url.local"
    SigV4Auth(SigningKeys("local", secret), "lambda", "us-east-1").add_auth(request)
    return {
        "authorization": request.headers["Authorization"],
        "x_amz_date": request.headers["X-Amz-Date"],
    }


async def test_signed_request_reaches_the_function_with_its_caller() -> None:
    async with serving(streamed(prelude()), CHECK) as it:
        answer = await it.ask("POST", "/?a=1", b"body", **signature("/?a=1", b"body", "local"))
        assert answer.status == 200
        event = await it.invoker.events.get()
        assert event["requestContext"]["authorizer"]["iam"]["accessKey"] == "local"


async def test_unsigned_request_is_forbidden_as_aws_words_it() -> None:
    async with serving(streamed(prelude()), CHECK) as it:
        answer = await it.ask("POST", "/", b"body")
        assert answer.status == 403
        assert answer.header("x-amzn-errortype") == "AccessDeniedException"
        assert answer.body == (
            b'{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: '
            b'https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}'
        )
        assert it.invoker.events.empty()


async def test_wrong_signature_is_forbidden() -> None:
    async with serving(streamed(prelude()), CHECK) as it:
        answer = await it.ask("POST", "/", b"body", **signature("/", b"body", "wrong"))
        assert answer.status == 403
        assert answer.header("x-amzn-errortype") == "InvalidSignatureException"
        assert b"does not match the signature you provided" in answer.body
        assert it.invoker.events.empty()


@pytest.mark.parametrize(
    ("health", "status", "told"),
    [
        ({"stream": True}, 200, {"status": "ok", "functions": {"stream": "ready"}}),
        (
            {"stream": True, "connect": False},
            503,
            {"status": "starting", "functions": {"stream": "ready", "connect": "starting"}},
        ),
        ({}, 503, {"status": "starting", "functions": {}}),
    ],
)
async def test_health_needs_no_signature(
    health: dict[str, bool], status: int, told: dict[str, Any]
) -> None:
    async with serving(streamed(), CHECK, health) as it:
        answer = await it.ask("GET", "/_local/health")
        assert (answer.status, json.loads(answer.body)) == (status, told)
        assert it.invoker.events.empty()


async def test_service_without_a_url_function_says_so() -> None:
    async with serving(None) as it:
        assert (await it.ask("GET", "/")).status == 404


def test_trace_keeps_the_clients_root() -> None:
    assert trace_for("Root=1-5-6;Parent=7", time.time()).startswith("Root=1-5-6;Parent=")
    assert "evil" not in trace_for("evil\r\nx: y", time.time())
