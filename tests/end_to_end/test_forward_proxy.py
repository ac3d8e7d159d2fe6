"""The local stack as the proxy of clients that send requests to api.openai.com."""

from __future__ import annotations

import httpx2
import openai
import pytest
from botocore.credentials import ReadOnlyCredentials

from examples.clients.sigv4_auth import HttpxSigV4Auth
from tests.end_to_end.conftest import FORWARD_KEY
from tests.end_to_end.upstream_request import only_request
from tests.running_stack import RunningStack
from tests.scripted_upstream import ScriptedUpstream


class LocalKeys:
    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials("local", "local", None)


def assert_streams(http_client: httpx2.Client, key: str) -> None:
    with openai.OpenAI(
        base_url="http://api.openai.com/v1", api_key=key, http_client=http_client, max_retries=0
    ) as client:
        stream = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        texts = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
        assert "".join(text or "" for text in texts) == "Hello"


def test_client_with_a_key_gets_its_stream_and_the_proxys_credentials_go_no_further(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    proxy = keyed_stack.url.replace("http://", "http://user:word@")
    assert_streams(httpx2.Client(proxy=proxy), FORWARD_KEY)
    only_request(upstream, "POST", "/v1/chat/completions")


def test_signature_for_the_host_in_the_clients_url_is_accepted(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    auth = HttpxSigV4Auth(credentials=LocalKeys())
    assert_streams(httpx2.Client(proxy=signed_stack.url, auth=auth), "unused")
    only_request(upstream, "POST", "/v1/chat/completions")


def test_tunnel_is_refused_with_what_to_use(keyed_stack: RunningStack) -> None:
    with pytest.raises(httpx2.ProxyError, match="501 CONNECT is not supported: use http:// URLs"):
        httpx2.get("https://api.openai.com/v1/models", proxy=keyed_stack.url)
