"""One AnswerCache without a provider: orders of events that requests over sockets rarely take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sluice.access.errors import KeyNotAllowed
from sluice.cache.single_flight import SingleFlight
from sluice.completions.caching import HIT, MISS, AnswerCache
from sluice.completions.event_stream import EVENT_STREAM
from sluice.completions.recording import RecordedReply, ReplayedReply
from sluice.completions.request import PendingRequest
from sluice.errors import UpstreamBroken
from sluice.request_log import RequestLog
from sluice.settings import read_settings
from sluice.upstream.call import JSON, ModelCall, chat_call
from sluice.upstream.targets import read_targets
from tests.scripted_upstream import answer_stream
from tests.sluice.clocks import FOREVER, HandClock
from tests.sluice.completions.cache_bench import ANN, STREAMED
from tests.sluice.completions.replies import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.completions.caching import CacheExchange
    from sluice.stop_signal import StopSignal
    from sluice.upstream.reply import UpstreamReply

ENVIRON = {"CACHE_CHAT_COMPLETION": "true", "CACHE_BACKEND": "MEMORY"}
(TARGET, *_) = read_targets(ENVIRON, read_settings(ENVIRON))
LOG = RequestLog("r", "test", write=str)
STREAM = answer_stream(["a"])
CALL = chat_call(json.dumps(STREAMED).encode())


class Flights(SingleFlight):
    """Notes who waits. Each wait ends because the first request has failed."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def wait(self, key: str, seconds: float, stop_signal: StopSignal | None = None) -> None:
        del seconds, stop_signal
        self.waits.append(key)
        self.end(key)


def cache_with(
    flights: Flights | None = None, clock: HandClock | None = None, **environ: str
) -> AnswerCache:
    settings = read_settings({**ENVIRON, **environ})
    return AnswerCache(settings, ENVIRON, tuple, clock or HandClock(), flights)


def pending(call: ModelCall = CALL) -> PendingRequest:
    return PendingRequest(call, call, call.headers, TARGET, ANN, LOG, FOREVER, None)


def answered(exchange: CacheExchange, body: bytes = STREAM) -> str:
    """Read an answer from the cache or else from the provider; returns which."""
    assert read(exchange, body)
    return exchange.headers["x-sluice-cache"]


def read(exchange: CacheExchange, body: bytes) -> bytes:
    kind = EVENT_STREAM if body is STREAM else JSON
    reply = exchange.reply(lambda _note: Reply([body], content_type=kind), LOG)
    assert isinstance(reply, RecordedReply | ReplayedReply)
    return b"".join(reply.chunks())


def test_request_after_one_that_failed_does_not_wait() -> None:
    flights = Flights()
    cache = cache_with(flights)
    for _ in "ab":
        with pytest.raises(UpstreamBroken), cache.exchange(pending()):
            raise UpstreamBroken("cut off")
    assert flights.waits == []


def test_request_that_waited_in_vain_is_the_one_that_others_wait_for() -> None:
    flights = Flights()
    cache = cache_with(flights)
    with cache.exchange(pending()), cache.exchange(pending()):
        (key,) = flights.waits
        assert not flights.begin(key)
    assert flights.begin(key)


def test_age_is_never_negative_where_clocks_differ() -> None:
    clock = HandClock()
    cache = cache_with(clock=clock)
    with cache.exchange(pending()) as exchange:
        assert answered(exchange) == MISS
    for seconds, age in ((-2.0, "0"), (5.5, "3")):
        clock.now += seconds
        with cache.exchange(pending()) as exchange:
            assert answered(exchange) == HIT
            assert exchange.headers["age"] == age


def test_client_may_want_an_answer_of_a_maximum_age() -> None:
    clock = HandClock()
    cache = cache_with(clock=clock)
    for seconds, max_age_s, state in ((0, 9, MISS), (5, 5, HIT), (0, 4, MISS), (0, 4, HIT)):
        clock.now += seconds
        headers = {"cache-control": f"max-age={max_age_s}"}
        with cache.exchange(pending()._replace(headers=headers)) as exchange:
            assert answered(exchange) == state


def test_refused_request_is_neither_a_hit_nor_a_miss() -> None:
    """The cache is read before limits are, because a hit costs no tokens."""
    cache, lines = cache_with(), list[str]()
    for _ in ("nothing is kept", "an answer is kept"):
        with (
            pytest.raises(KeyNotAllowed) as caught,
            RequestLog("r", "test", write=lines.append) as log,
            cache.exchange(pending()._replace(log=log)),
        ):
            raise KeyNotAllowed("The key is blocked.")
        assert not {"cache", "cache_age_s"} & json.loads(lines[-1]).keys()
        assert caught.value.own_headers == {}
        with cache.exchange(pending()) as exchange:
            answered(exchange)


def test_model_of_the_body_and_of_the_path_both_count() -> None:
    """Azure's path names a deployment; 5 and 6 are not names, so the call has none."""
    cache = cache_with()
    named = (("m", "m"), ("m", "m2"), ("n", "m"), (5, None), (6, None))
    for expected in (MISS, HIT):
        for of_body, of_path in named:
            body = json.dumps({**STREAMED, "model": of_body}).encode()
            with cache.exchange(pending(CALL._replace(body=body, model=of_path))) as exchange:
                assert answered(exchange) == expected


def test_embeddings_without_data_are_not_kept() -> None:
    cache, call = cache_with(), CALL._replace(path="/embeddings", body=b'{"input": "a"}')
    whole = b'{"data": [{"embedding": [0.1]}]}'
    for state, body in ((MISS, b'{"data": []}'), (MISS, whole), (HIT, b"not asked")):
        with cache.exchange(pending(call)) as exchange:
            assert answered(exchange, body) == state


def test_whole_answer_comes_in_pieces_to_clients_that_get_events_at_a_pace() -> None:
    choice = {"index": 0, "message": {"content": "a" * 40}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice]}).encode()
    for rate, texts in (("", 1), ('{"/v1": "9/second"}', 10)):
        cache = cache_with(TOKEN_RATE_LIMIT=rate)
        with cache.exchange(pending()) as exchange:
            assert answered(exchange, body) == MISS
        with cache.exchange(pending()) as exchange:
            assert read(exchange, b"not asked").count(b'"content":"a') == texts


def test_what_the_provider_did_is_logged_also_where_it_fails() -> None:
    def fails(note: Callable[..., None]) -> UpstreamReply:
        note(provider="openai", retries=2)
        raise UpstreamBroken("cut off")

    lines: list[str] = []
    with (
        pytest.raises(UpstreamBroken),
        RequestLog("r", "test", write=lines.append) as log,
        cache_with().exchange(pending()) as exchange,
    ):
        exchange.reply(fails, log)
    (line,) = map(json.loads, lines)
    assert (line["provider"], line["retries"]) == ("openai", 2)


def test_age_that_a_provider_names_is_not_ours() -> None:
    cache = cache_with()
    for state, own in ((MISS, {}), (HIT, {"age": "0"})):
        with cache.exchange(pending()) as exchange:
            assert answered(exchange) == state
            headers = exchange.headers_over({"age": "7", "server": "x"})
            assert headers == {"server": "x", "x-sluice-cache": state, **own}
