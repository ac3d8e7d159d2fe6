"""What counts as a wrong charge."""

from __future__ import annotations

import pytest

from sluice.state.item import Item
from tests.faults.accounts import CLAIM, EVENTS_BESIDES, fault_of
from tests.faults.cases import Case, Way
from tests.faults.oracle import End, Seen

PARTS = 30


def spent(amount: int, **more: int | str) -> Item:
    return {"running": 0, "s life": amount, "b life": amount, **more}


@pytest.mark.parametrize(
    ("item", "delivered", "kills", "had_lease", "fault"),
    [
        (spent(PARTS), PARTS, 0, False, ""),
        (spent(PARTS - 1), PARTS, 0, False, "less than"),
        (spent(PARTS + 1), PARTS, 0, False, "something else"),
        (spent(2 * PARTS), PARTS, 1, False, "more than it could"),
        (spent(PARTS + EVENTS_BESIDES), PARTS, 1, False, ""),
        (spent(3), 3, 0, False, ""),
        (spent(2), 3, 0, False, "less than"),
        ({}, 0, 1, False, ""),
        ({}, 1, 1, False, "less than"),
        (spent(CLAIM), 3, 1, True, ""),
        (spent(CLAIM + PARTS), 3, 1, True, "claim was not charged"),
        (spent(3, running=1), 3, 0, False, "reserved"),
        ({"running": 0, "s life": 3, "b life": 4}, 3, 0, False, "reserved"),
        (spent(3, **{"l 1": '["m", 1, 1, 1, "life", 1]'}), 3, 1, False, "reserved"),
    ],
)
def test_charge_is_judged(
    item: Item, delivered: int, kills: int, fault: str, *, had_lease: bool
) -> None:
    case = Case.plain(7, Way.URL_EVENTS)
    case.kills = kills
    text = "".join(case.answer.parts[:delivered])
    seen = Seen(text, End.MARK if delivered == PARTS else End.ERROR)
    found = fault_of(case, seen, item, had_lease=had_lease)
    assert (fault in found) if fault else not found
