"""The Function URL asked as a proxy: absolute targets, CONNECT, and OPTIONS as any other method."""

from __future__ import annotations

import json

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKeys

from local.http.sigv4_verification import SignatureCheck
from local.project.environment import Credentials
from tests.local.function_url.url_bench import serving
from tests.local.runtime_api.scripted_invoker import prelude, streamed

CHECK = SignatureCheck(Credentials("local", "local"), "lambda", "us-east-1")
KEYS = SigningKeys("local", "local")
ANSWER = streamed(prelude())


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        (
            "http://api.openai.com/v1/chat/completions",
            "/v1/chat/completions",
            "",
            "api.openai.com",
        ),
        ("http://api.openai.com:8080/p?a=1", "/p", "a=1", "api.openai.com:8080"),
        ("http://api.openai.com/a%20b/%2F", "/a%20b/%2F", "", "api.openai.com"),
        ("http://api.openai.com", "/", "", "api.openai.com"),
        ("http://api.openai.com?a=1", "/", "a=1", "api.openai.com"),
        ("HTTP://user:word@api.openai.com/p", "/p", "", "api.openai.com"),
        ("/redirect?to=http://api.openai.com/p", "/redirect", "to=http://api.openai.com/p", "h"),
    ],
)
async def test_absolute_target_is_answered_like_its_path(
    target: str, path: str, query: str, host: str
) -> None:
    async with serving(ANSWER) as it:
        assert (await it.ask("POST", target, b"{}", host="h")).status == 200
        event = await it.invoker.events.get()
        assert (event["rawPath"], event["rawQueryString"]) == (path, query)
        assert event["requestContext"]["http"]["path"] == path
        assert (event["headers"]["host"], event["requestContext"]["domainName"]) == (host, host)


async def test_what_a_client_says_to_its_proxy_reaches_no_function() -> None:
    async with serving(ANSWER) as it:
        await it.ask(
            "POST",
            "http://api.openai.com/v1/x",
            b"{}",
            proxy_authorization="Basic dXNlcjp3b3Jk",
            proxy_connection="keep-alive",
        )
        event = await it.invoker.events.get()
        assert [name for name in event["headers"] if name.startswith("proxy")] == []


async def test_signature_of_an_absolute_target_is_checked_over_its_path() -> None:
    url, body = "http://api.openai.com/v1/a%20b?x=1&y=%2F", b"{}"
    request = AWSRequest(method="POST", url=url, data=body)
    SigV4Auth(KEYS, "lambda", "us-east-1").add_auth(request)
    signature = {name: request.headers[name] for name in ("Authorization", "X-Amz-Date")}
    async with serving(ANSWER, CHECK) as it:
        client = await it.client()
        good = await client.ask("POST", url, body, host="api.openai.com", **signature)
        assert good.status == 200
        other = url.replace("a%20b", "other")
        bad = await client.ask("POST", other, body, host="api.openai.com", **signature)
        assert bad.status == 403
        elsewhere = url.replace("api.openai.com", "example.com")
        bad = await client.ask("POST", elsewhere, body, host="api.openai.com", **signature)
        assert bad.status == 403


async def test_presigned_absolute_target_is_accepted() -> None:
    request = AWSRequest(method="GET", url="http://api.openai.com/?message=Hello")
    SigV4QueryAuth(KEYS, "lambda", "us-east-1", 60).add_auth(request)
    async with serving(ANSWER, CHECK) as it:
        answer = await it.ask("GET", str(request.url), host="api.openai.com")
        assert answer.status == 200


async def test_connect_is_refused_with_what_to_use_and_the_connection_ends() -> None:
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


async def test_options_without_a_signature_is_forbidden_where_signatures_are_asked_for() -> None:
    async with serving(ANSWER, CHECK) as it:
        answer = await it.ask("OPTIONS", "/v1/chat/completions", origin="https://app.example")
        assert answer.status == 403
        assert it.invoker.events.empty()
