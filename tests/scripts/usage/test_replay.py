"""Requests that the store missed are counted from the log, each once."""

from __future__ import annotations

import io
import itertools
import json
from typing import TYPE_CHECKING

import pytest

from scripts.access.store import ToolStore
from scripts.keys.commands import Records
from scripts.usage.__main__ import main
from scripts.usage.replay import replay
from sluice.access.daily_usage import PREFIX, usage_key, usage_of
from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.gate import Ask, Gate
from sluice.access.prices import PriceList
from sluice.access.ticket import Ticket
from sluice.access.usage import Savings, Tokens
from sluice.authentication import Principal
from sluice.errors import StateUnavailable
from sluice.limit_values import Rate
from sluice.state.changes import Change, Outcome
from sluice.state.sqlite import SqliteState
from tests.scripts.tool_runs import Tool
from tests.scripts.tool_stores import NOW, opened

if TYPE_CHECKING:
    from pathlib import Path

PRICES = PriceList('{"servers": {}}', {"gpt": (1000, 500, 2000)})  # 1 and 2 micro-USD a token
USED = Tokens(100, 0, 20)
DAY_S = 86_400
LIMITS = DeploymentLimits(others=(Rate(1, 60),))


@pytest.fixture
def store(request: pytest.FixtureRequest) -> ToolStore:
    return opened("sqlite", request)


def ticket(
    folder: Path,
    principal: Principal,
    model: str = "gpt",
    store_type: type[SqliteState] = SqliteState,
) -> Ticket:
    """A request that the gate lets through."""
    state = store_type(str(folder / "state.sqlite3"), lambda: NOW)
    ids = map(str, itertools.count())
    gate = Gate(state, LIMITS, lambda: PRICES, lambda: next(ids), lambda: NOW)
    found = gate.admit(principal, Ask("/v1/x", "https://a", model, Tokens(500, 0, 0), 60))
    assert found is not None
    return found


def team(store: ToolStore) -> Principal:
    record = Records(store, lambda: NOW).create("team-a", {"max_budget": 10_000}, None).record
    return Principal("team-a", record.key, has_record=True)


def line(found: Ticket, savings: Savings | None = None, *, has_failed: bool = False) -> str:
    uncounted = found.replay(USED, savings, has_failed=has_failed)
    return json.dumps({"request_id": "r", "uncounted": uncounted, "state": "It was away."})


def counts(store: ToolStore) -> dict[str, int]:
    """The sum of all that is counted."""
    items = store.items(PREFIX).items()
    found = [usage_of(key, item).counts for key, item in items]
    return {name: sum(each[name] for each in found) for name in found[0]}


def test_request_is_counted_once_on_its_own_day(store: ToolStore, tmp_path: Path) -> None:
    principal = team(store)
    text = line(ticket(tmp_path, principal), has_failed=True)
    assert replay(store, [text, text], NOW + DAY_S) == (1, 1, 0)
    assert replay(store, [text], NOW + DAY_S) == (0, 1, 0)
    item = store.get_all([principal.account])[principal.account]
    assert (item["s life"], item["b life"], item["running"]) == (140, 140, 0)
    assert list(store.items(PREFIX)) == [usage_key("2027-01-15", principal.account, "gpt")]
    counted = counts(store)
    assert (counted["requests"], counted["failures"], counted["micro_usd"]) == (1, 1, 140)
    assert counted["input_tokens"] == 100


def test_what_a_kept_answer_saved_is_counted(store: ToolStore, tmp_path: Path) -> None:
    text = line(ticket(tmp_path, team(store)), Savings(150, 200))
    assert replay(store, [text], NOW) == (1, 0, 0)
    counted = counts(store)
    assert (counted["cache_hits"], counted["saved_tokens"]) == (1, 150)
    assert counted["saved_micro_usd"] == 200


def test_request_that_was_settled_is_not_counted_again(store: ToolStore, tmp_path: Path) -> None:
    found = ticket(tmp_path, team(store))
    text = line(found)
    found.settle(USED)
    assert replay(store, [text], NOW) == (0, 1, 0)
    assert counts(store)["requests"] == 1


class LosingStore(SqliteState):
    """Takes no counts for reports."""

    def change(self, change: Change) -> Outcome:
        if change.key.startswith(PREFIX):
            raise StateUnavailable("It was away.")
        return super().change(change)


def test_request_that_is_missing_in_reports_alone_is_counted_there(
    store: ToolStore, tmp_path: Path
) -> None:
    principal = team(store)
    found = ticket(tmp_path, principal, store_type=LosingStore)
    with pytest.raises(StateUnavailable):
        found.settle(USED)
    charged = store.get_all([principal.account])
    assert replay(store, [line(found)] * 2, NOW) == (1, 1, 0)
    assert replay(store, [line(found)], NOW) == (0, 1, 0)
    assert store.get_all([principal.account]) == charged
    assert (counts(store)["requests"], counts(store)["micro_usd"]) == (1, 140)


def test_principal_without_a_record_keeps_what_limits_it(
    store: ToolStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = line(ticket(tmp_path, Principal("key-1", "key 1"), "of-no-price"))
    assert "micro_usd" not in text
    assert replay(store, [text], NOW) == (1, 0, 0)
    later = opened("sqlite", request, NOW + 100 * DAY_S)
    assert later.get_all(["key 1"])["key 1"]["running"] == 0
    assert counts(store)["unpriced_requests"] == 1


def test_lines_are_read_as_logs_have_them(store: ToolStore, tmp_path: Path) -> None:
    principal = team(store)
    bare = line(ticket(tmp_path, principal))
    forms = [
        f"stream | {bare}\n",
        f"2027-01-15T08:00:00.000Z {bare}\n",
        json.dumps({"timestamp": "…", "message": bare}),
        json.dumps({"timestamp": "…", "message": json.loads(bare)}),
    ]
    assert replay(store, forms, NOW) == (1, 3, 0)
    others = ["", "START RequestId: 1\n", '{"outcome": "ok"}\n', "{", '{"answer": "uncounted"}\n']
    assert replay(store, others, NOW) == (0, 0, 0)


def test_damaged_lines_are_said_and_change_nothing(store: ToolStore, tmp_path: Path) -> None:
    good = json.loads(line(ticket(tmp_path, team(store))))
    before = store.items("")
    lease = json.loads(good["uncounted"]["lease"])
    broken: list[dict[str, object]] = [
        {"lease": "[]"},
        {"lease": json.dumps([*lease[:2], -5, *lease[3:]])},
        {"tokens": "no JSON"},
        {"tokens": "[1, 2, null]"},
        {"at": "noon"},
        {"micro_usd": -1},
        {"saved": "[1]"},
        {"saved": "[1, -1]"},
    ]
    lines = [json.dumps({"uncounted": {**good["uncounted"], **part}}) for part in broken]
    lines += ['{"uncounted": {}}', '{"uncounted": 7}', line_cut_short(good)]
    tool = Tool(main, tmp_path, {"STATE_FILE": str(tmp_path / "state.sqlite3")})
    code, out, err = tool.run("--replay", stdin=io.StringIO("\n".join(lines)))
    assert (code, out) == (1, "Counted 0 requests; 0 had been counted before.\n")
    assert err.startswith("usage: Lines that could not be read: 11. Pass whole lines")
    assert store.items("") == before


def line_cut_short(document: object) -> str:
    return json.dumps(document)[:-20]
