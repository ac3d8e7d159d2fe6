"""A stack whose functions reach the provider by `requests` and a SOCKS proxy."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from tests.end_to_end.conftest import FORWARD_KEY, PROVIDER_KEY
from tests.running_stack import PATIENCE_S, ready_service
from tests.scripted_upstream import ScriptedUpstream, answer_stream
from tests.sluice.http.served_connections import served
from tests.sluice.http.socks_proxy import SocksProxy


def test_answer_streams_through_a_socks_proxy(upstream: ScriptedUpstream) -> None:
    port = urlsplit(upstream.url).port
    assert port is not None
    proxy = SocksProxy(("127.0.0.1", port))
    with (
        served(proxy) as (host, proxy_port),
        ready_service(
            OPENAI_BASE_URL="http://model.example:8080/v1",
            OPENAI_API_KEY=PROVIDER_KEY,
            FORWARD_KEY=FORWARD_KEY,
            FUNCTION_URL_AUTH="none",
            UPSTREAM_TRANSPORT="requests",
            PROXY=f"socks5h://{host}:{proxy_port}",
        ) as stack,
    ):
        reply = requests.post(
            f"{stack.url}/v1/chat/completions",
            json={"model": "m", "messages": [], "stream": True},
            headers={"Authorization": f"Bearer {FORWARD_KEY}"},
            timeout=PATIENCE_S,
        )
        assert reply.content == answer_stream(["Hel", "lo"])
        assert stack.end() == 0
    assert proxy.asked == ["model.example:8080"]
