"""Many environments at once on one store: no limit lets one request too many through."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sluice.access.daily_usage import usage_key, usage_of
from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.errors import BudgetSpent
from sluice.access.gate import Ask, Gate
from sluice.access.prices import PriceList
from sluice.access.records import Record, item_of
from sluice.access.shards import merged, shard_accounts
from sluice.access.ticket import Ticket
from sluice.access.usage import Tokens
from sluice.authentication import Principal
from sluice.limit_values import model_prices
from sluice.state.changes import Change
from sluice.state.sqlite import SqliteState
from tests.sluice.state.state_opening import TABLE, Opening

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.state.store import StateStore

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("requests_program.py")
PROCESSES = 8
SHARDS = 4
PATIENCE_S = 60.0
ACCOUNT, OF_SHARDS = "key " + "0" * 64, "key " + "1" * 64
PRICES = '{"gpt": {"input": 1, "output": 1}}'  # one micro-USD a token
PRICE, NO_LIST = model_prices(PRICES), '{"servers": {}}'


class Shared(NamedTuple):
    """One store, and the settings by which other processes open it."""

    store: StateStore
    settings: dict[str, str]


@pytest.fixture(params=["sqlite", "dynamodb"])
def shared(request: pytest.FixtureRequest, file: Path) -> Shared:
    if request.param == "dynamodb":
        opening: Opening = request.getfixturevalue("table")
        return Shared(opening(time.time), {"STATE_TABLE": TABLE})
    return Shared(SqliteState(str(file)), {"STATE_FILE": str(file)})


def started(
    seconds: float,
    tokens: int,
    settings: Mapping[str, str],
    *options: str,
    processes: int = PROCESSES,
) -> list[subprocess.Popen[str]]:
    """Processes that are ready for `begin`."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "layers/shared/python"),
        "ACCOUNT": ACCOUNT,
        "MODEL_PRICES": PRICES,
        **settings,
    }
    command = [sys.executable, str(PROGRAM), str(seconds), str(tokens), *options]
    pipe = subprocess.PIPE
    return [
        subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        for _ in range(processes)
    ]


def begin(processes: list[subprocess.Popen[str]]) -> None:
    """Let each of them make its first request."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def passed(processes: list[subprocess.Popen[str]]) -> list[int]:
    """When requests passed in these processes, in order."""
    outputs = [process.communicate(timeout=4 * PATIENCE_S)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return sorted(int(moment) for output in outputs for moment in output.split())


def test_no_window_is_exceeded(shared: Shared) -> None:
    """Each strategy limits an account of its own, and one with shards, at the same time."""
    rates = {"REQ_RATE_LIMIT": '{"/v1": "6/second;14/2seconds"}'}
    strategies = ("fixed-window", "fixed-window-elastic-expiry", "moving-window")
    runs = []
    for number, strategy in enumerate(strategies):
        limits = {**rates, "RATE_LIMIT_STRATEGY": strategy, "ACCOUNT": f"key {number:064}"}
        runs.append((strategy, started(3.0, 0, shared.settings | limits, processes=4)))
    for strategy in ("fixed-window", "moving-window"):
        account = f"key {len(runs):064}"
        sharded(shared.store, account)
        limits = {**rates, "RATE_LIMIT_STRATEGY": strategy, "ACCOUNT": account}
        settings = shared.settings | limits | {"HAS_RECORD": "true"}
        runs.append((strategy, started(3.0, 0, settings, processes=4)))
    begin([process for _, processes in runs for process in processes])
    for strategy, processes in runs:
        moments = passed(processes)
        assert moments
        for amount, length in ((6, 1000), (14, 2000)):
            for moment in moments:
                start = moment - moment % length if strategy == "fixed-window" else moment
                within = sum(start <= each < start + length for each in moments)
                assert within <= amount, strategy


def test_budgets_are_never_passed_and_exactly_counted(shared: Shared) -> None:
    """Two accounts at the same time, one of them with shards."""
    store, settings = shared.store, shared.settings | {"HAS_RECORD": "true"}
    record = Record("ann", token=ACCOUNT.removeprefix("key "), max_budget=10_000)
    store.change(Change(ACCOUNT, None, put=item_of(record)))
    sharded(store, OF_SHARDS, max_budget=10_000)
    # A request claims 900 micro-USD and costs 300: the last ones fit as others are settled.
    whole = started(2 * PATIENCE_S, 900, settings, processes=5)
    parts = started(2 * PATIENCE_S, 900, settings | {"ACCOUNT": OF_SHARDS}, processes=5)
    begin([*whole, *parts])
    moments = passed(whole)
    item = store.get_all([ACCOUNT])[ACCOUNT]
    assert item["s life"] == item["b life"] == 300 * len(moments)
    assert 9100 < int(item["s life"]) <= 10_000
    assert item["running"] == 0
    key = usage_key(time.strftime("%Y-%m-%d", time.gmtime()), ACCOUNT, "gpt")
    usage = usage_of(key, store.get_all([key])[key])
    assert usage.counts["requests"] == len(moments)
    assert usage.counts["micro_usd"] == 300 * len(moments)
    moments = passed(parts)
    item = merged(list(store.get_all(shard_accounts(OF_SHARDS, SHARDS)).values()))
    assert item["s life"] == item["b life"] == 300 * len(moments)
    assert 10_000 - SHARDS * 900 < int(item["s life"]) <= 10_000
    assert item["running"] == 0


def test_of_200_requests_at_once_a_budget_for_ten_lets_ten_through(shared: Shared) -> None:
    """All are in progress at once, and each costs what its provider counted."""
    record = Record("ann", token=ACCOUNT.removeprefix("key "), max_budget=10 * 900)
    shared.store.change(Change(ACCOUNT, None, put=item_of(record)))
    prices, all_are_there = PriceList(NO_LIST, PRICE), threading.Barrier(200)
    gates = [
        Gate(
            shared.store,
            DeploymentLimits(),
            lambda: prices,
            lambda: os.urandom(12).hex(),
            max_contention_ms=120_000,
        )
        for _ in range(PROCESSES)
    ]
    ask = Ask("/v1/chat/completions", "https://x", "gpt", Tokens(900, 0, 0), 60.0)

    def ticket(number: int) -> Ticket | None:
        all_are_there.wait(PATIENCE_S)
        try:
            principal = Principal("ann", ACCOUNT, has_record=True)
            return gates[number % PROCESSES].admit(principal, ask)
        except BudgetSpent:
            return None

    with ThreadPoolExecutor(200) as pool:
        tickets = [found for found in pool.map(ticket, range(200)) if found]
    assert len(tickets) == 10
    costs = [found.settle(Tokens(31 * number, 0, 7)) for number, found in enumerate(tickets)]
    item = shared.store.get_all([ACCOUNT])[ACCOUNT]
    assert costs == [31 * number + 7 for number in range(10)]
    assert item["s life"] == item["b life"] == 31 * 45 + 70
    assert item["running"] == 0


def sharded(store: StateStore, account: str, **fields: Any) -> None:
    record = Record("ann", token=account.removeprefix("key "), shards=SHARDS, **fields)
    for each in shard_accounts(account, SHARDS):
        store.change(Change(each, None, put=item_of(record)))


def test_answers_at_once_are_limited(shared: Shared) -> None:
    record = Record("ann", token=ACCOUNT.removeprefix("key "), max_parallel_requests=2)
    store = shared.store
    store.change(Change(ACCOUNT, None, put=item_of(record)))
    processes = started(1.0, 0, shared.settings | {"HAS_RECORD": "true"})
    begin(processes)
    assert passed(processes)
    assert store.get_all([ACCOUNT])[ACCOUNT]["running"] == 0


def test_killed_processes_leave_nothing_reserved_and_nothing_uncounted(
    shared: Shared,
) -> None:
    """Whatever a process did last: its settled requests count once, and its claim counts whole."""
    record = Record("ann", token=ACCOUNT.removeprefix("key "), max_budget=10**9)
    store = shared.store
    store.change(Change(ACCOUNT, None, put=item_of(record)))
    random = Random(7)  # noqa: S311 -- moments, no secrets
    settled = killed = 0
    for _ in range(3):
        processes = started(60.0, 900, shared.settings | {"HAS_RECORD": "true"}, "told")
        begin(processes)
        for process in processes:
            time.sleep(random.random() / 50)  # at any moment of a request
            process.kill()
            killed += 1
        settled += sum(len(process.communicate()[0].splitlines()) for process in processes)
    later = time.time() + 3600
    gate = Gate(
        store, DeploymentLimits(), lambda: PriceList(NO_LIST, PRICE), lambda: "last", lambda: later
    )
    ask = Ask("/v1", "https://x", "gpt", Tokens(0, 0, 0), 60.0)
    ticket = gate.admit(Principal("ann", ACCOUNT, has_record=True), ask)
    assert ticket is not None
    ticket.settle(Tokens(0, 0, 0))
    item = store.get_all([ACCOUNT])[ACCOUNT]
    assert item["running"] == 0
    assert item["b life"] == item["s life"]
    # A process that was killed after its settlement had no time to say so.
    assert 300 * settled <= int(item["s life"]) <= 300 * settled + 900 * killed
