"""The requests to a Function URL over real sockets, with functions that follow a script."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from local.function_url.server import trace_for
from local.http.sigv4_verification import SignatureCheck
from local.limits import MAX_REQUEST_BYTES
from local.project.environment import Credentials
from tests.local.function_url.url_bench import serving
from tests.local.http.signing import signed_headers
from tests.local.runtime_api.scripted_invoker import prelude, streamed

CHECK = SignatureCheck(Credentials("local", "local"), "lambda", "us-east-1")
ANSWER = streamed(prelude())


async def test_request_becomes_an_event() -> None:
    async with serving(ANSWER) as it:
        await it.ask("POST", "/a%20b?q=1&q=2", b'{"x":1}', content_type="application/json")
        event = await it.invoker.events.get()
        assert (event["rawPath"], event["rawQueryString"]) == ("/a%20b", "q=1&q=2")
        assert event["body"] == '{"x":1}'
        assert event["headers"].pop("x-amzn-trace-id").startswith("Root=1-")
        assert event["headers"] == {
            "host": "127.0.0.1",
            "content-length": "7",
            "content-type": "application/json",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
            "x-forwarded-port": "80",
        }
        assert event["requestContext"]["http"]["method"] == "POST"
        assert "authorizer" not in event["requestContext"]


async def test_compressed_body_is_passed_on_unchanged() -> None:
    async with serving(ANSWER) as it:
        await it.ask("POST", "/", b"\x1f\x8bnot really", content_encoding="gzip")
        assert (await it.invoker.events.get())["isBase64Encoded"] is True


CUT_OFF = (
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf",
    b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
    b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Le",
    b"",
)


@pytest.mark.parametrize("how", ["half", "close", "abort"])
async def test_client_that_leaves_inside_its_request_calls_no_function_and_is_not_logged(
    caplog: pytest.LogCaptureFixture, how: str
) -> None:
    async with serving(ANSWER) as it:
        for request in CUT_OFF:
            client = await it.client()
            client.writer.write(request)
            await client.writer.drain()
            if how == "half":
                client.writer.write_eof()
                assert b" 200 " not in await client.reader.read()
            elif how == "close":
                await client.close()
            else:
                client.writer.transport.abort()
        assert (await it.ask("GET", "/")).status == 200  # what was sent before has been read
        assert it.invoker.events.qsize() == 1
    assert caplog.text == ""


async def test_client_that_closes_its_side_gets_every_answer() -> None:
    get, post = b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n", b"POST /2 HTTP/1.1\r\nHost: h\r\n"
    post += b"Content-Length: 4\r\n\r\nbody"
    async with serving(ANSWER) as it:
        for requests in ([get], [post], [get, post, get]):
            for splits in (False, True):
                client = await it.client()
                for request in requests:
                    client.writer.write(request)
                    if splits:
                        await it.invoker.events.get()
                client.writer.write_eof()
                answers = await client.reader.read()
                assert answers.count(b"HTTP/1.1 200 OK\r\n") == len(requests)
                assert answers.endswith(b"0\r\n\r\n")


async def test_client_that_expects_a_100_gets_it() -> None:
    async with serving(ANSWER) as it:
        client = await it.client()
        client.send("POST", "/", b"", **{"expect": "100-continue", "content-length": "5"})
        assert await client.head() == (100, {})
        client.writer.write(b"hello")
        assert (await client.answer()).status == 200


async def test_body_passes_up_to_the_maximum_size() -> None:
    async with serving(ANSWER) as it:
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


async def test_base64_of_a_binary_body_counts_as_in_the_event() -> None:
    async with serving(ANSWER) as it:
        body = bytes(range(256)) * (MAX_REQUEST_BYTES // 4 * 3 // 256)
        answer = await it.ask("POST", "/", body, content_type="audio/wav")
        assert answer.status == 413
        assert it.invoker.events.empty()
        answer = await it.ask("POST", "/", body[:-4096], content_type="audio/wav")
        assert answer.status == 200
        event = await it.invoker.events.get()
        assert base64.b64decode(event["body"]) == body[:-4096]


async def test_body_over_the_limit_is_not_read_to_its_end() -> None:
    async with serving(ANSWER) as it:
        assert (await it.ask("POST", "/", b"x" * (MAX_REQUEST_BYTES + 1))).status == 413
        client = await it.client()
        client.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.writer.write(b"%x\r\n" % (MAX_REQUEST_BYTES + 1) + b"x" * (MAX_REQUEST_BYTES + 1))
        client.method = "POST"
        assert (await client.answer()).status == 413
        assert it.invoker.events.empty()


async def test_signed_request_reaches_the_function_with_its_caller() -> None:
    async with serving(ANSWER, CHECK) as it:
        headers = signed_headers("POST", "http://127.0.0.1/?a=1", b"body")
        assert (await it.ask("POST", "/?a=1", b"body", **headers)).status == 200
        event = await it.invoker.events.get()
        assert event["requestContext"]["authorizer"]["iam"]["accessKey"] == "local"


async def test_unsigned_request_is_forbidden_in_awss_words() -> None:
    async with serving(ANSWER, CHECK) as it:
        answer = await it.ask("POST", "/", b"body")
        assert answer.status == 403
        assert answer.header("x-amzn-errortype") == "AccessDeniedException"
        assert answer.body == (
            b'{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: '
            b'https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}'
        )
        assert it.invoker.events.empty()


async def test_wrong_signature_is_forbidden() -> None:
    async with serving(ANSWER, CHECK) as it:
        headers = signed_headers("POST", "http://127.0.0.1/", b"another body")
        answer = await it.ask("POST", "/", b"body", **headers)
        assert answer.status == 403
        assert answer.header("x-amzn-errortype") == "InvalidSignatureException"
        assert b"does not match the signature you provided" in answer.body
        assert it.invoker.events.empty()


@pytest.mark.parametrize(
    ("health", "status", "document"),
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
    health: dict[str, bool], status: int, document: dict[str, Any]
) -> None:
    async with serving(streamed(), CHECK, health) as it:
        answer = await it.ask("GET", "/_local/health")
        assert (answer.status, json.loads(answer.body)) == (status, document)
        assert it.invoker.events.empty()


async def test_service_without_a_function_for_the_url_answers_404() -> None:
    async with serving(None) as it:
        assert (await it.ask("GET", "/")).status == 404


def test_trace_keeps_the_clients_root() -> None:
    assert trace_for("Root=1-5-6;Parent=7", time.time()).startswith("Root=1-5-6;Parent=")
    assert "evil" not in trace_for("evil\r\nx: y", time.time())
