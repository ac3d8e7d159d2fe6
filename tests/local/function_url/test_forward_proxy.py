"""The Function URL as a proxy: absolute targets, CONNECT, and OPTIONS like any other method."""

from __future__ import annotations

import json

from local.http.sigv4_verification import SignatureCheck
from local.project.environment import Credentials
from tests.local.function_url.url_bench import serving
from tests.local.http.signing import presigned_url, signed_headers
from tests.local.runtime_api.scripted_invoker import prelude, streamed

CHECK = SignatureCheck(Credentials("local", "local"), "lambda", "us-east-1")
ANSWER = streamed(prelude())


async def test_signature_of_an_absolute_target_covers_its_host_and_path() -> None:
    url, body = "http://api.openai.com/v1/a%20b?x=1&y=%2F", b"{}"
    headers = signed_headers("POST", url, body)
    others = {url: 200, url.replace("a%20b", "c"): 403, url.replace("openai", "example"): 403}
    async with serving(ANSWER, CHECK) as it:
        for target, status in others.items():
            assert (await it.ask("POST", target, body, **headers)).status == status
        event = await it.invoker.events.get()
        assert (event["rawPath"], event["headers"]["host"]) == ("/v1/a%20b", "api.openai.com")
        target = presigned_url("http://api.openai.com/?message=Hello")
        assert (await it.ask("GET", target, host="api.openai.com")).status == 200


async def test_connect_is_rejected_with_a_remedy_and_the_connection_ends() -> None:
    async with serving(ANSWER, CHECK) as it:
        client = await it.client()
        client.send("CONNECT", "api.openai.com:443", host="api.openai.com:443")
        line = await client.reader.readline()
        assert line == b"HTTP/1.1 501 CONNECT is not supported: use http:// URLs\r\n"
        rest = await client.reader.read()
        message = json.loads(rest.partition(b"\r\n\r\n")[2])["Message"]
        assert "http_proxy" in message
        assert f"http://127.0.0.1:{it.port}/v1" in message
        assert it.invoker.events.empty()


async def test_options_reaches_the_function_that_answers_it() -> None:
    async with serving(
        streamed(prelude(statusCode=204, headers={"access-control-allow-origin": "*"}))
    ) as it:
        answer = await it.ask(
            "OPTIONS",
            "/v1/chat/completions",
            origin="https://app.example",
            access_control_request_method="POST",
        )
        assert (answer.status, answer.header("access-control-allow-origin")) == (204, "*")
        event = await it.invoker.events.get()
        assert event["requestContext"]["http"]["method"] == "OPTIONS"
        assert event["headers"]["origin"] == "https://app.example"


async def test_options_requires_a_signature_like_any_other_method() -> None:
    async with serving(ANSWER, CHECK) as it:
        answer = await it.ask("OPTIONS", "/v1/chat/completions", origin="https://app.example")
        assert answer.status == 403
        assert it.invoker.events.empty()
