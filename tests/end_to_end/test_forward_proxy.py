"""The local stack as the proxy of clients that think they ask api.openai.com; its size limit."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest
import requests
from botocore.credentials import ReadOnlyCredentials

from examples.clients.sigv4_auth import HttpxSigV4Auth, RequestsSigV4Auth
from tests.end_to_end.conftest import FORWARD_KEY
from tests.end_to_end.upstream_request import only_request
from tests.running_stack import PATIENCE_S, RunningStack
from tests.scripted_upstream import ScriptedUpstream, answer_stream

BASE_URL = "http://api.openai.com/v1"
CHAT = f"{BASE_URL}/chat/completions"
CHAT_PATH = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


class LocalKeys:
    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials("local", "local", None)


def streamed(client: openai.OpenAI) -> str:
    stream = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_openai_client_behind_a_proxy_gets_its_stream(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    http_client = httpx2.Client(proxy=keyed_stack.url)
    with openai.OpenAI(
        base_url=BASE_URL, api_key=FORWARD_KEY, http_client=http_client, max_retries=0
    ) as client:
        assert streamed(client) == "Hello"
    only_request(upstream, "POST", CHAT_PATH)


def test_signature_for_the_host_that_the_client_believes_in_is_accepted(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    auth = HttpxSigV4Auth(credentials=LocalKeys())
    http_client = httpx2.Client(proxy=signed_stack.url, auth=auth)
    with openai.OpenAI(
        base_url=BASE_URL, api_key="unused", http_client=http_client, max_retries=0
    ) as client:
        assert streamed(client) == "Hello"
    only_request(upstream, "POST", CHAT_PATH)


def test_unsigned_request_through_the_proxy_is_403(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    proxies = {"http": signed_stack.url}
    reply = requests.post(CHAT, json=BODY, proxies=proxies, timeout=PATIENCE_S)
    assert reply.status_code == 403
    assert upstream.requests == []


def test_credentials_for_the_proxy_go_no_further(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    reply = requests.post(
        CHAT,
        json=BODY,
        headers={"Authorization": f"Bearer {FORWARD_KEY}", "Proxy-Connection": "keep-alive"},
        proxies={"http": keyed_stack.url.replace("http://", "http://user:word@")},
        timeout=PATIENCE_S,
    )
    assert reply.content == answer_stream(["Hel", "lo"])
    only_request(upstream, "POST", CHAT_PATH)


def test_tunnel_is_refused_with_what_to_use(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    with pytest.raises(httpx2.ProxyError, match="501 CONNECT is not supported: use http:// URLs"):
        httpx2.get("https://api.openai.com/v1/models", proxy=keyed_stack.url)
    assert upstream.requests == []


def padded(size: int) -> bytes:
    body = {**BODY, "user": ""}
    body["user"] = "x" * (size - len(json.dumps(body)))
    return json.dumps(body).encode()


def test_request_above_6_mb_is_413_before_anything_is_asked(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    auth = RequestsSigV4Auth(credentials=LocalKeys())
    url = f"{signed_stack.url}{CHAT_PATH}"
    headers = {"content-type": "application/json"}
    for size, status in ((6 * 1024 * 1024, 413), (5 * 1024 * 1024, 200)):
        reply = requests.post(
            url, data=padded(size), auth=auth, headers=headers, timeout=PATIENCE_S
        )
        assert reply.status_code == status
        assert len(upstream.requests) == (status == 200)


def test_binary_of_5_mb_is_413_because_its_base64_counts(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    reply = requests.post(
        f"{keyed_stack.url}/v1/audio/transcriptions",
        files={"file": ("a.wav", bytes(5 * 1024 * 1024))},
        headers={"Authorization": f"Bearer {FORWARD_KEY}"},
        timeout=PATIENCE_S,
    )
    assert reply.status_code == 413
    assert reply.headers["x-amzn-errortype"] == "RequestEntityTooLargeException"
    assert upstream.requests == []
