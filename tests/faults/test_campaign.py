"""A short campaign, which must find nothing, and one through a broken relay, which must find it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.campaign import Plan, run
from tests.faults.cases import STREAMED, WEBSOCKET, Border, Case, Cases, Fault
from tests.faults.connections import ConnectionsProxy, Post
from tests.faults.oracle import HONEST, Verdict
from tests.faults.table import FAULTS, KILLS

SEED = 13
SECONDS = 5.0
SHARES = 3
"""The table is divided, so that several test processes run the campaign."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
KINDS = (Verdict.LOST, Verdict.REORDERED, Verdict.DOUBLED, Verdict.SILENT)


@pytest.mark.parametrize("share", range(SHARES))
def test_no_answer_is_lost_or_reordered_or_doubled_or_silent(share: int, tmp_path: Path) -> None:
    plan = Plan(SEED, SECONDS, FAULTS[share::SHARES])
    tally = asyncio.run(run(plan))
    log = tmp_path / "stack.log"
    log.write_text("\n".join(tally.output), encoding="utf-8")
    assert tally.findings == [], f"{log} has what the stack printed"
    assert min(tally.verdicts[verdict] for verdict in HONEST) > 0


def test_killed_functions_leave_nothing_reserved_and_charge_once() -> None:
    plan = Plan(SEED, 0, KILLS, kills=20)
    tally = asyncio.run(run(plan))
    assert tally.findings == []
    assert tally.kills >= 20
    assert tally.charged.total() == tally.verdicts.total()
    assert len(tally.charged) >= 3  # the provider's count, a claim, nothing


class BrokenRelay(ConnectionsProxy):
    """Breaks one frame of each answer, or all after the first: the answer's number says how."""

    def __init__(self, cases: Cases) -> None:
        super().__init__(cases)
        self._kept: dict[Case, Post] = {}

    async def forward(self, post: Post) -> bytes:
        case = post.case
        if case is None:
            return await super().forward(post)
        kind, is_second = KINDS[case.answer.number % len(KINDS)], case.posts == 2
        if kind is Verdict.SILENT and case.posts >= 2:
            case.hurry()
            return OK
        if kind is Verdict.LOST and is_second:
            return OK
        if kind is Verdict.REORDERED and is_second:
            self._kept[case] = post
            return OK
        reply = await super().forward(post)
        again = post if kind is Verdict.DOUBLED and is_second else self._kept.pop(case, None)
        return reply if again is None else await super().forward(again)


def test_campaign_finds_each_fault_of_a_broken_relay() -> None:
    slow = Fault(Border.NONE, "none", ways=STREAMED & WEBSOCKET, takes_long=True)
    plan = Plan(SEED, 0, (slow,), only=range(2 * len(KINDS)))
    tally = asyncio.run(run(plan, BrokenRelay))
    assert {kind: tally.verdicts[kind] >= 2 for kind in KINDS} == dict.fromkeys(KINDS, True)
    assert len(tally.findings) >= 2 * len(KINDS)
