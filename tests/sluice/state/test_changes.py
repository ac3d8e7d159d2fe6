"""Changes with guards: one contract for the rule itself, a SQLite file, and DynamoDB by moto."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.state.changes import AtMost, Change, Equals, Outcome, Present, outcome_of
from sluice.state.sqlite import SqliteState
from tests.sluice.state.state_opening import LATER, NOW_ALWAYS, Opening, at

if TYPE_CHECKING:
    from sluice.state.changes import Guard
    from sluice.state.item import Item

STORED: Item = {"count": 5, "text": "häß 🙂", "empty": "", "zero": 0}


@pytest.fixture(params=["sqlite", "dynamodb"])
def opened(request: pytest.FixtureRequest, file: Path) -> Opening:
    if request.param == "dynamodb":
        opening: Opening = request.getfixturevalue("table")
        return opening
    return lambda clock=NOW_ALWAYS: SqliteState(str(file), clock)


GUARDS: list[tuple[Guard, bool]] = [
    (AtMost("count", 5), True),
    (AtMost("count", 4), False),
    (AtMost("missing", 0), True),
    (AtMost("missing", -1), False),
    (AtMost("zero", 0), True),
    (Equals("text", "häß 🙂"), True),
    (Equals("text", "another"), False),
    (Equals("text", None), False),
    (Equals("missing", None), True),
    (Equals("missing", "text"), False),
    (Equals("empty", ""), True),
    (Equals("count", 5), True),
    (Present("empty"), True),
    (Present("missing"), False),
]


def test_guards_hold_in_every_store_as_by_the_rule(opened: Opening) -> None:
    store = opened()
    store.put("key", STORED, LATER)
    for guard, holds in GUARDS:
        asked = Change("key", LATER, (guard, Present("count")))
        assert outcome_of(asked, STORED) == Outcome(holds, STORED), guard
        assert store.change(asked) == Outcome(holds, STORED), guard


def test_change_adds_puts_and_removes(opened: Opening) -> None:
    asked = Change(
        "key",
        LATER,
        (AtMost("count", 9),),
        add={"count": -7, "new #: name": 2, "a.b": 1},
        put={"text": "", "size": "reserved word"},
        remove=("zero", "never there"),
    )
    expected: Item = {
        "count": -2, "new #: name": 2, "a.b": 1, "text": "", "size": "reserved word", "empty": "",
    }  # fmt: skip
    store = opened()
    store.put("key", STORED, LATER)
    assert outcome_of(asked, STORED) == store.change(asked) == Outcome(True, expected)  # noqa: FBT003
    assert store.get_all(["key"]) == {"key": expected}


def test_missing_item_is_an_empty_one(opened: Opening) -> None:
    store = opened()
    refused = store.change(Change("key", LATER, (Present("count"),), add={"count": 1}))
    assert refused == Outcome(was_applied=False, item={})
    assert store.get_all(["key"]) == {}
    made = store.change(Change("key", LATER, (Equals("count", None),), add={"count": 1}))
    assert made == Outcome(was_applied=True, item={"count": 1})
    assert store.change(Change("other", LATER)).item == {}


def test_change_renews_the_expiry_or_keeps_the_item_for_good(opened: Opening) -> None:
    for expires_at, later in ((LATER + 60, LATER + 59), (None, LATER * 1000)):
        opened().put("key", STORED, LATER)
        opened().change(Change("key", expires_at))
        assert opened(at(later)).get_all(["key"]) == {"key": STORED}


def test_several_items_of_a_file_change_together_or_not_at_all(file: Path) -> None:
    store = SqliteState(str(file), NOW_ALWAYS)
    one = Change("one", LATER, (Equals("count", None),), add={"count": 1})
    two = Change("two", LATER, (AtMost("count", 0),), add={"count": 1})
    assert store.change_all([one, two])
    assert not store.change_all([one, two])
    assert not store.change_all([two, one._replace(key="three")])
    assert store.get_all(["one", "two", "three"]) == {"one": {"count": 1}, "two": {"count": 1}}


def test_threads_never_pass_a_guard_together(opened: Opening) -> None:
    store = opened()
    asked = Change("key", LATER, (AtMost("count", 9),), add={"count": 1})
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(store.change, [asked] * 40))
    assert sum(outcome.was_applied for outcome in outcomes) == 10
    assert store.get_all(["key"]) == {"key": {"count": 10}}
