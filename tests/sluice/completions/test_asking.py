"""What becomes of requests by their principal, the store and the cache."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from sluice.access.errors import BudgetSpent
from sluice.access.records import MICRO, Record, item_of
from sluice.access.usage import USUAL_OUTPUT_TOKENS
from sluice.authentication import Principal
from sluice.errors import SluiceError, StateUnavailable
from sluice.request_log import RequestLog
from sluice.state.changes import Change
from sluice.state.sqlite import SqliteState
from sluice.upstream.call import chat_call
from tests.scripted_upstream import (
    ScriptedUpstream,
    one_after_another,
    replies,
    says,
    scripted_upstream,
)
from tests.sluice.answering import SECRET, answering_with
from tests.sluice.aws.aws_environment import environ_of
from tests.sluice.clocks import FOREVER
from tests.sluice.completions.cache_bench import STREAMED, CacheBench

if TYPE_CHECKING:
    from pathlib import Path

SIGNER, KEY = Principal("ann", "key 1"), Principal("team", "key 2", has_record=True)
CALL = chat_call(b'{"model": "m", "messages": [], "stream": true}')


@pytest.mark.parametrize(
    ("principal", "store_failure", "passes"),
    [
        (SIGNER, "count_later", True),
        (SIGNER, "refuse", False),
        (KEY, "count_later", False),
        (KEY, "refuse", False),
    ],
)
def test_request_that_cannot_be_counted_passes_only_without_a_record(
    upstream: ScriptedUpstream,
    tmp_path: Path,
    principal: Principal,
    store_failure: str,
    *,
    passes: bool,
) -> None:
    upstream.script = says("a")
    environ = {
        "OPENAI_BASE_URL": upstream.url,
        "OPENAI_API_KEY": SECRET,
        "GLOBAL_RATE_LIMIT": "9/minute",
        "STORE_FAILURE": store_failure,
    }
    answers = answering_with(environ, SqliteState(str(tmp_path))).answers  # a folder: it fails
    lines: list[str] = []

    def ask() -> bytes:
        with (
            RequestLog("r", "test", write=lines.append) as log,
            answers.ask(CALL, log, FOREVER, principal=principal) as answer,
        ):
            return b"".join(answer.chunks())

    if passes:
        assert ask().endswith(b"data: [DONE]\n\n")
    else:
        with pytest.raises(StateUnavailable):
            ask()
    line: dict[str, Any] = json.loads(lines[0])
    assert line.get("is_counted") is (False if passes else None)
    assert len(upstream.requests) == int(passes)


def test_list_of_stored_completions_passes_the_cache_by(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(200, {"object": "list", "data": []})
    own = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": SECRET}
    cache = {"CACHE_CHAT_COMPLETION": "true", "CACHE_BACKEND": "MEMORY"}
    answers = answering_with(own | cache).answers
    call = CALL._replace(method="GET", body=b"")
    with (
        RequestLog("r", "test") as log,
        answers.ask(call, log, FOREVER, principal=SIGNER) as answer,
    ):
        assert b"".join(answer.chunks()) == b'{"object": "list", "data": []}'
        assert "x-sluice-cache" not in answer.headers


RATE = {"REQ_RATE_LIMIT": '{"/v1/chat/completions": "1/day"}'}
PRICE = {"MODEL_PRICES": '{"m": {"input": 1, "output": 1}}'}


@pytest.mark.parametrize(
    ("outcome", "record", "variables", "reads"),
    [
        ("rate_limit_exceeded", Record("team"), RATE, 1),  # the first of two requests passes
        ("invalid_api_key", Record("team", blocked=True), {}, 0),
        ("invalid_api_key", Record("team", expires=1), {}, 0),
        ("invalid_api_key", None, {}, 0),
        ("model_not_allowed", Record("team", models=("gpt-*",)), {}, 0),
        ("model_without_price", Record("team", max_budget=MICRO), {}, 0),
        ("insufficient_quota", Record("team", max_budget=1), PRICE, 2),  # a hit would pass
    ],
)
def test_refused_request_does_not_read_the_cache(
    upstream: ScriptedUpstream,
    tmp_path: Path,
    outcome: str,
    record: Record | None,
    variables: dict[str, str],
    reads: int,
) -> None:
    upstream.script = says("Hi")
    store = SqliteState(str(tmp_path / "state.sqlite3"))
    named = (record or Record("team"))._replace(principal="arn:team")
    if record is not None:
        store.change(Change(named.key, None, put=item_of(named)))
    with scripted_upstream() as table:
        table.script = replies(200, {})
        bench = CacheBench(upstream)
        bench.store = store
        aws = {**environ_of(table.url), "CACHE_BACKEND": "DYNAMODB", "CACHE_TABLE": "cache"}
        bench.answers = bench.through(**aws, **variables)
        for _ in range(2):
            with suppress(SluiceError):
                bench.ask(STREAMED, Principal("team", named.key, has_record=True))
        assert bench.line["outcome"] == outcome
        targets = [request.headers["x-amz-target"] for request in table.requests]
        assert sum(target.endswith("GetItem") for target in targets) == reads


def test_fallback_is_claimed_and_paid_at_its_own_price(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    counted = replies(200, {"usage": {"prompt_tokens": 10, "completion_tokens": 1}})
    upstream.script = one_after_another(replies(503, {}), replies(503, {}), counted)
    environ = {
        "OPENAI_BASE_URL": upstream.url,
        "OPENAI_API_KEY": SECRET,
        "UPSTREAM_RETRIES": "0",
        "FALLBACK_MODELS": "m=unknown,unknown=large,large=m",
        "MODEL_PRICES": '{"m": {"input": 1, "output": 1}, "large": {"input": 5, "output": 7}}',
    }
    store = SqliteState(str(tmp_path / "state"))
    answers = answering_with(environ, store).answers
    lines: list[str] = []

    def ask(budget: int) -> None:
        record = Record("team", KEY.account.removeprefix("key "), max_budget=budget)
        store.change(Change(KEY.account, None, put=item_of(record)))
        with (
            RequestLog("r", "test", write=lines.append) as log,
            answers.ask(CALL, log, FOREVER, principal=KEY) as answer,
        ):
            assert list(answer.chunks())

    with pytest.raises(BudgetSpent):
        ask(budget=6 * USUAL_OUTPUT_TOKENS)
    ask(budget=8 * USUAL_OUTPUT_TOKENS)
    line: dict[str, Any] = json.loads(lines[-1])
    assert (line["model"], line["fallback_from"], line["micro_usd"]) == ("large", "unknown", 57)
