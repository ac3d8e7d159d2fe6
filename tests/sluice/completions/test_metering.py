"""What one request is charged: by the provider's count, or by what it asked and was given."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sluice.access.gate import Ask, Gate
from sluice.access.ticket import Ticket
from sluice.access.usage import EMBEDDED_TOKENS, Savings, Tokens, input_tokens
from sluice.authentication import Principal
from sluice.completions.metering import NOTHING, Meter, metered
from sluice.completions.request import PendingRequest
from sluice.completions.usage import UsageFinder
from sluice.deadline import Deadline
from sluice.errors import (
    Cancelled,
    InvalidField,
    StateUnavailable,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
)
from sluice.request_log import RequestLog
from sluice.settings import read_settings
from sluice.upstream.call import ModelCall, chat_call
from sluice.upstream.targets import read_targets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.authentication import Meanwhile

ANN = Principal("ann", "key 1", has_record=True)
SETTINGS = read_settings({})
(TARGET,) = read_targets({}, SETTINGS)
CALL = chat_call(b'{"model":"gpt","stream":true,"max_tokens":9,"messages":[]}')
CLAIMED = Tokens(input_tokens(CALL.body), 0, 9, is_estimated=True)
EVENT = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}\n\n'
CACHED = USAGE.replace(b"7}", b'7,"prompt_tokens_details":{"cached_tokens":4}}')
FORM = {"content-type": "multipart/form-data; boundary=b"}
DONE = b"data: [DONE]\n\n"
REFUSED = UpstreamRefused(429, {}, b"", None)


class FakeTicket(Ticket):
    """Takes what a request is charged; fails a number of times first."""

    def __init__(self, failures: int = 0, headers: dict[str, str] | None = None) -> None:
        self.headers = headers or {}
        self.failures = failures
        self.savings: Savings | None = None
        self.charged: list[tuple[Tokens, bool]] = []

    def settle(
        self, tokens: Tokens, savings: Savings | None = None, *, has_failed: bool = False
    ) -> int | None:
        self.savings = savings
        if self.failures:
            self.failures -= 1
            raise StateUnavailable("The store is away.")
        self.charged.append((tokens, has_failed))
        return 12

    def replay(
        self, tokens: Tokens, savings: Savings | None = None, *, has_failed: bool = False
    ) -> dict[str, str | int]:
        self.savings = savings
        return {"tokens": tokens.total, "failed": int(has_failed)}


class FakeGate(Gate):
    """Lets everything through, and keeps what it was asked."""

    def __init__(self, ticket: Ticket | None) -> None:
        self.ticket = ticket
        self.asked: list[Ask] = []

    def admit(
        self,
        _principal: Principal,
        ask: Ask,
        meanwhile: Meanwhile | None = None,  # noqa: ARG002 -- the gate's signature
    ) -> Ticket | None:
        self.asked.append(ask)
        return self.ticket


def pending(call: ModelCall) -> PendingRequest:
    log, deadline = RequestLog("r", "test"), Deadline(lambda: 61_000)
    return PendingRequest(call, call, call.headers, TARGET, ANN, log, deadline, None)


def meter_of(call: ModelCall = CALL, ticket: Ticket | None = None) -> tuple[Meter, FakeGate]:
    gate = FakeGate(ticket or FakeTicket())
    meter = metered(gate, ANN, pending(call))
    assert meter is not None
    return meter, gate


def charged(
    chunks: Iterable[bytes] = (),
    failure: BaseException | None = None,
    call: ModelCall = CALL,
    *,
    has_lines: bool = True,
) -> tuple[Tokens, bool]:
    ticket = FakeTicket()
    meter, _ = meter_of(call, ticket)
    usage = UsageFinder()
    for chunk in meter.chunks(iter(chunks), has_lines=has_lines):
        usage.add(chunk)
    meter.usage = usage.usage()
    meter.settle(RequestLog("r", "url"), Deadline(lambda: 61_000), failure)
    (found,) = ticket.charged
    return found


def estimated(output: int) -> Tokens:
    return Tokens(CLAIMED.input, 0, output, is_estimated=True)


@pytest.mark.parametrize(
    ("chunks", "failure", "tokens"),
    [
        ([EVENT, EVENT, USAGE, DONE], None, Tokens(5, 0, 7)),
        ([EVENT + USAGE[:20], USAGE[20:] + DONE], None, Tokens(5, 0, 7)),
        ([EVENT, CACHED, DONE], None, Tokens(5, 4, 7)),
        ([EVENT, USAGE], UpstreamBroken(""), Tokens(5, 0, 7)),
        ([EVENT, EVENT + EVENT], UpstreamBroken(""), estimated(3)),
        ([EVENT], Cancelled(""), estimated(1)),
        ([EVENT], REFUSED, estimated(1)),  # an error within a stream
        ([b": ping\n\n"], UpstreamUnreachable(""), NOTHING),
        ([], UpstreamSilent(""), estimated(0)),
        ([], REFUSED, NOTHING),
        ([], UpstreamUnreachable(""), NOTHING),
    ],
    ids=[
        "counted", "counted in halves", "counted with cached", "counted, then cut", "cut",
        "canceled", "refused within", "heartbeat", "silent", "refused", "unreachable",
    ],
)  # fmt: skip
def test_stream_is_charged(
    chunks: list[bytes], failure: BaseException | None, tokens: Tokens
) -> None:
    has_failed = failure is not None and not isinstance(failure, Cancelled)
    assert charged(chunks, failure) == (tokens, has_failed)


def test_whole_answer_is_charged_by_its_bytes_where_it_counts_nothing() -> None:
    assert charged([b"x" * 300], has_lines=False) == (estimated(100), False)
    counted = json.dumps({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}).encode()
    assert charged([counted], has_lines=False) == (Tokens(1, 0, 2), False)


def test_requests_without_model_work_are_free() -> None:
    models = ModelCall("GET", "/models", "", {}, b"", None)
    upload = ModelCall(
        "POST", "/files", "", {"content-type": "multipart/form-data"}, b"x" * 99, None
    )
    cancel = ModelCall("POST", "/responses/r/cancel", "", {}, b"", None)
    for call, is_free in ((models, True), (cancel, True), (upload, False)):
        assert charged([b"x" * 300], call=call, has_lines=False) == (NOTHING, False)
        meter, gate = meter_of(call)
        assert gate.asked[0].is_free == is_free
        passed = iter([b"x"])
        assert meter.chunks(passed, has_lines=False) is passed  # holds nothing of a large file


@pytest.mark.parametrize(
    ("path", "headers", "fields", "tokens"),
    [
        ("/embeddings", {"content-type": "application/json"}, {}, 0),
        ("/embeddings", {"content-type": "text/plain"}, {}, 0),  # some providers read it as JSON
        ("/responses", {"content-type": "application/json"}, {"background": True}, 9),
        ("/responses", {"content-type": "application/json"}, {"background": False}, 100),
    ],
)
def test_answer_without_a_count_is_charged_what_is_made(
    path: str, headers: dict[str, str], fields: dict[str, Any], tokens: int
) -> None:
    body = json.dumps({"model": "gpt", "max_tokens": 9, **fields}).encode()
    call = ModelCall("POST", path, "", headers, body, "gpt")
    expected = Tokens(input_tokens(body), 0, tokens, is_estimated=True)
    assert charged([b"x" * 300], call=call, has_lines=False) == (expected, False)


def test_recording_and_speech_are_not_charged_by_their_bytes() -> None:
    form = ModelCall("POST", "/audio/transcriptions", "", FORM, b"--" + bytes(1998), "gpt")
    listened = Tokens(EMBEDDED_TOKENS + 10, 0, 100, is_estimated=True)
    assert charged([b"x" * 300], call=form, has_lines=False) == (listened, False)
    ticket = FakeTicket()
    meter, _ = meter_of(ticket=ticket)
    assert list(meter.chunks(iter([b"\0" * 9000]), has_lines=False, is_text=False))
    meter.settle(RequestLog("r", "url"), Deadline(lambda: 61_000), None)
    assert ticket.charged == [(estimated(9), False)]


def test_gate_learns_what_a_request_claims() -> None:
    _, gate = meter_of()
    url = "https://api.openai.com/v1"
    assert gate.asked == [Ask("/v1/chat/completions", url, "gpt", CLAIMED, 60.0)]


@pytest.mark.parametrize(
    ("body", "twice"),
    [
        (b'{"model": "gpt", "model": "o3"}', "model"),
        (b'{"model": "gpt", "messages": [], "Model": "o3"}', "model"),
        (b'{"mod\\u0065l": "o3", "model": "gpt"}', "model"),
        ('{"max_tokens": 1, "max_to\u212aens": 9}'.encode(), "max_tokens"),  # the sign for Kelvin
    ],
)
def test_member_that_servers_read_differently_is_rejected_where_a_record_counts(
    body: bytes, twice: str
) -> None:
    call = chat_call(body, "gpt")
    gate = FakeGate(FakeTicket())
    with pytest.raises(InvalidField, match=f"must name {twice} once"):
        metered(gate, ANN, pending(call))
    assert metered(gate, ANN._replace(has_record=False), pending(call)) is not None


def test_members_count_in_any_case() -> None:
    for body in (b'{"MAX_Tokens": 7, "N": 2}', b'{"max_tokens": 7, "n": 2, "metadata": {"n": 3}}'):
        _, gate = meter_of(chat_call(body, "gpt"))
        assert gate.asked[0].tokens.output == 14


def test_gate_learns_of_all_models_that_may_answer() -> None:
    gate, fallbacks = FakeGate(FakeTicket()), {"gpt": "o3", "o3": "o4", "o4": "gpt"}
    call = chat_call(CALL.body, "gpt")
    by_path = call._replace(path="/engines/gpt/completions")
    for asked, is_hit in ((call, False), (call, True), (by_path, False)):
        assert metered(gate, ANN, pending(asked), fallbacks=fallbacks, is_hit=is_hit) is not None
    assert [ask.fallbacks for ask in gate.asked] == [("o3", "o4"), (), ()]


def test_our_limits_replace_the_providers_headers() -> None:
    headers = {"x-ratelimit-limit-requests": "9", "x-request-id": "r"}
    own = {"x-ratelimit-limit-tokens": "1"}
    meter, _ = meter_of(ticket=FakeTicket(headers=own))
    assert meter.headers_over(headers) == {"x-request-id": "r", **own}
    meter, _ = meter_of()
    assert meter.headers_over(headers) == headers


def test_store_that_fails_is_tried_until_the_deadline(capsys: pytest.CaptureFixture[str]) -> None:
    pauses: list[float] = []
    for failures, remaining_ms in ((2, 61_000), (99, 1000)):
        ticket = FakeTicket(failures)
        meter, _ = meter_of(ticket=ticket)
        with RequestLog("r", "url") as log:
            meter.settle(log, Deadline(partial(int, remaining_ms)), None, pauses.append)
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert pauses == [0.2, 0.4]
    assert (first["tokens"], first["micro_usd"]) == (CLAIMED.input, 12)
    assert second["uncounted"] == {"tokens": CLAIMED.input, "failed": 0}
    assert second["state"] == "The store is away."


def test_hit_claims_nothing_and_costs_nothing() -> None:
    ticket = FakeTicket()
    gate = FakeGate(ticket)
    meter = metered(gate, ANN, pending(CALL), is_hit=True)
    assert meter is not None
    with RequestLog("r", "test") as log, meter.counting(log, Deadline(lambda: 61_000)):
        assert list(meter.chunks(iter([EVENT, DONE]), has_lines=True)) == [EVENT, DONE]
    assert gate.asked[0].tokens == NOTHING
    assert ticket.charged == [(NOTHING, False)]


def test_request_that_nothing_limits_has_no_meter() -> None:
    assert metered(FakeGate(None), ANN, pending(CALL)) is None
