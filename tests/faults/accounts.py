"""What each case is charged: it has a key of its own, whose budget one token costs a micro-USD."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from sluice.access.account import RUNNING, leases
from sluice.access.daily_usage import usage_key, usage_of
from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.gate import Ask, Gate
from sluice.access.prices import PriceList
from sluice.access.records import Record, item_of
from sluice.access.usage import USUAL_OUTPUT_TOKENS, Tokens, output_tokens
from sluice.authentication import Principal, account_of_key
from sluice.completions.delivered import TEXT_BYTES_PER_TOKEN
from sluice.limit_values import model_prices
from sluice.state.changes import Change
from sluice.state.item import Item
from sluice.state.sqlite import SqliteState
from tests.faults.cases import Case, Way
from tests.faults.model import Reply, completion
from tests.faults.oracle import PART, Seen, Verdict, judge
from tests.faults.tally import Tally

MODEL = "m"
PRICES = json.dumps({MODEL: {"input": 0, "output": 1}})
BUDGET = 10**9
CLAIM = USUAL_OUTPUT_TOKENS
"""What a request of the campaign claims, in micro-USD, and what it costs if its function dies."""
EVENTS_BESIDES = 2
"""Events of an answer that have no part of it: its finish reason, and an error."""
SETTLEMENT_S = 30.0
"""How long answers may take to be settled, in seconds, after the last case."""
PAUSE_S = 0.1
LEASE_S = 3600.0
"""By then every lease is over, in seconds."""


class Accounts:
    """Gives each case a key with a record, and judges what it was charged."""

    def __init__(self, file: Path, tally: Tally) -> None:
        self.settings = {
            "STATE_FILE": str(file),
            "WEBSOCKET_AUTH": "forward_key",
            "OPENAI_MODEL": MODEL,
            "MODEL_PRICES": PRICES,
        }
        self._store = SqliteState(str(file))
        self._tally = tally
        self._seen: list[tuple[Case, Seen]] = []

    def key_of(self, case: Case) -> str:
        """Return the key of a case, with its record in the store."""
        key = _key(case)
        record = Record(str(case.answer.number), _account(case).removeprefix("key "))
        item = item_of(record._replace(max_budget=BUDGET))
        self._store.change(Change(record.key, None, put=item))
        return key

    def add(self, case: Case, seen: Seen) -> None:
        self._seen.append((case, seen))

    async def wait_until_settled(self) -> None:
        """Wait for the answers whose functions live."""
        end = time.monotonic() + SETTLEMENT_S
        waiting = [case for case, _ in self._seen if not case.kills]
        while waiting and time.monotonic() < end:
            waiting = [case for case in waiting if leases(self._item(_account(case)))]
            await asyncio.sleep(PAUSE_S)
        self._tally.findings += [f"{case}: it was not settled" for case in waiting]

    def check(self) -> None:
        """Settle what dead functions left, as the next request does, and judge each charge."""
        later = time.time() + LEASE_S
        prices = PriceList('{"servers": {}}', model_prices(PRICES))
        gate = Gate(self._store, DeploymentLimits(), lambda: prices, lambda: "last", lambda: later)
        for case, seen in self._seen:
            account = _account(case)
            had_lease = bool(leases(self._item(account)))
            if had_lease:
                principal = Principal("last", account, has_record=True)
                ask = Ask("/v1", "", MODEL, Tokens(0, 0, 0), 0.0, is_free=True)
                ticket = gate.admit(principal, ask)
                assert ticket is not None
                ticket.settle(Tokens(0, 0, 0))
            self._judge(case, seen, self._item(account), had_lease=had_lease)

    def _judge(self, case: Case, seen: Seen, item: Item, *, had_lease: bool) -> None:
        spent = int(item.get("s life", 0))
        wrong = fault_of(case, seen, item, had_lease=had_lease)
        reported = self._reported(_account(case)) - had_lease  # without the request of `check`
        if reported > 1 or (not case.kills and reported != ("s life" in item)):
            wrong = f"it counts {reported} times in reports"
        if wrong:
            self._tally.findings.append(f"{case}: {wrong} (charged {spent}). Seen: {seen}")
        self._tally.charged[_kind(case, spent, had_lease=had_lease)] += 1

    def _item(self, account: str) -> Item:
        return self._store.get_all([account]).get(account, {})

    def _reported(self, account: str) -> int:
        days = {
            time.strftime("%Y-%m-%d", time.gmtime(time.time() + s)) for s in (-LEASE_S, 0, LEASE_S)
        }
        keys = [usage_key(day, account, MODEL) for day in days]
        items = self._store.get_all(keys)
        return sum(usage_of(key, item).counts["requests"] for key, item in items.items())


def fault_of(case: Case, seen: Seen, item: Item, *, had_lease: bool) -> str:
    """Return what is wrong with a charge; empty if it is right."""
    spent = int(item.get("s life", 0))
    delivered = len(set(PART.findall(seen.text)))
    if leases(item) or item.get(RUNNING, 0) or item.get("b life", 0) != spent:
        return "it has left something reserved"
    if spent < delivered:
        return f"it was charged less than the {delivered} parts that were delivered"
    if had_lease:
        return "" if spent == CLAIM else "a dead function's claim was not charged as it was"
    is_whole = judge(case.answer, seen) is Verdict.WHOLE and not case.kills
    if is_whole and not _leaves_out_count(case) and spent != case.answer.length:
        return f"it was charged something else than the provider's {case.answer.length}"
    return "" if spent <= _most(case) else "it was charged more than it could have used"


def _leaves_out_count(case: Case) -> bool:
    """Whether the provider's stream ends without its count."""
    return any(Reply.finish_without_done in fault.steps for fault in case.struck_by)


def _most(case: Case) -> int:
    """Return the most that a settled answer may cost."""
    if case.way is Way.URL_JSON:
        return max(output_tokens(completion(case.answer)), case.answer.length)
    by_text = -(-len(case.answer.text) // TEXT_BYTES_PER_TOKEN)
    return max(case.answer.length + EVENTS_BESIDES, by_text)


def _kind(case: Case, spent: int, *, had_lease: bool) -> str:
    if had_lease:
        return "its claim, after its function had died"
    if not spent:
        return "nothing"
    is_exact = spent == case.answer.length
    return "the provider's count" if is_exact else "what was delivered"


def _key(case: Case) -> str:
    return f"sk-sluice-{case.answer.number:032}"


def _account(case: Case) -> str:
    return account_of_key(_key(case))
