"""What the commands do to records, on both stores."""

from __future__ import annotations

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from scripts.access.errors import ToolError
from scripts.keys.commands import Records, new_key
from sluice.access.account import Claim, Used, admission, lease_of, settlement
from sluice.access.daily_usage import PREFIX, usage_of
from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.gate import bounds_of
from sluice.access.identity import KEY_PREFIX
from sluice.authentication import account_of_key, account_of_principal
from tests.scripts.tool_stores import BOTH, NOW, opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.access.store import ToolStore
    from sluice.state.changes import Change
    from sluice.state.item import Item

NOW_MS = int(NOW) * 1000
ROLE = "arn:aws:iam::123456789012:role/path/team"
LIMITS = {
    "models": ("gpt-*", "o3"),
    "rpm_limit": 60,
    "tpm_limit": 1000,
    "max_budget": 25_000_000,
    "budget_duration": "1mo",
    "duration": "30d",
}


class Team:
    """Records on one store, with keys that count up, and requests made with them."""

    def __init__(self, store: ToolStore) -> None:
        self.store = store
        self._ids = map(str, itertools.count())
        keys = (f"{KEY_PREFIX}{number:032}" for number in itertools.count())
        self.records = Records(store, lambda: NOW, lambda: next(keys))

    def item(self, alias: str) -> Item:
        (item,) = self.records.find(alias).items.values()
        return item

    def begin(self, alias: str, cost: int = 100, lasts_ms: int = 60_000) -> Change | None:
        """A request begins, as the gate does it; returns the change that ends it at half."""
        record, item = self.records.find(alias).record, self.item(alias)
        bounds = bounds_of(record, DeploymentLimits().windows("", record.rpm_limit))
        claim = Claim(next(self._ids), "gpt-x", 10, cost, NOW_MS + lasts_ms)
        if not self.store.change_all([admission(bounds, claim, record.key, item, NOW_MS)]):
            return None
        lease = lease_of(bounds, claim, NOW_MS)
        return settlement(bounds, record.key, lease, Used(5, cost // 2), NOW_MS)

    def ended(self, change: Change | None) -> bool:
        assert change is not None
        return self.store.change_all([change])

    def usage(self) -> Sequence[Mapping[str, int]]:
        items = self.store.items(PREFIX).items()
        return [usage_of(key, item).counts for key, item in items]


@pytest.fixture(params=BOTH)
def team(request: pytest.FixtureRequest) -> Team:
    return Team(opened(request.param, request))


def test_new_keys_are_long_and_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"sk-sluice-[A-Za-z0-9]{32}", key) for key in keys)


def test_created_record_is_stored_under_its_keys_digest_alone(team: Team) -> None:
    record, key = team.records.create("team-a", LIMITS, None)
    assert key is not None
    assert record.key == account_of_key(key)
    assert record.expires == NOW + 30 * 86_400
    assert team.records.find("team-a").record == record
    stored = repr(team.store.items(""))
    assert key not in stored
    assert key.removeprefix(KEY_PREFIX) not in stored


def test_alias_and_principal_are_unique(team: Team) -> None:
    team.records.create("team-a", {}, None)
    team.records.create("deployer", {}, ROLE)
    assert team.records.find("deployer").record.key == account_of_principal(ROLE)
    for principal in (None, ROLE):
        with pytest.raises(ToolError, match=r"alias team-a is taken\. Choose another one"):
            team.records.create("team-a", {}, principal)
    session = "arn:aws:sts::123456789012:assumed-role/team/session"
    for arn in (ROLE, session):
        with pytest.raises(ToolError, match="already has a record, deployer"):
            team.records.create("another", {}, arn)
    assert [record.key_alias for record, _ in team.records.all()] == ["deployer", "team-a"]


def test_of_many_that_create_one_alias_at_once_one_does(team: Team) -> None:
    def created(_number: int) -> bool:
        try:
            Records(team.store, lambda: NOW).create("team-a", {}, None)
        except ToolError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(created, range(8))) == 1
    assert len(team.store.items("key ")) == 1


def test_unknown_alias_names_near_ones(team: Team) -> None:
    with pytest.raises(ToolError, match=r"Unknown alias team\. There is no record yet\."):
        team.records.find("team")
    team.records.create("team-a", {}, None)
    with pytest.raises(ToolError, match=r"Unknown alias tema-a\. Did you mean team-a\?"):
        team.records.update("tema-a", {"blocked": True})
    with pytest.raises(ToolError, match=r"Unknown alias zzz\. `npm run keys -- list` shows all\."):
        team.records.delete("zzz")


def test_update_changes_what_it_names_and_keeps_what_was_used(team: Team) -> None:
    old = team.records.create("team-a", LIMITS, None).record
    team.begin("team-a")
    before = team.item("team-a")
    new = team.records.update("team-a", {"rpm_limit": None, "duration": None, "models": ()})
    revision = old.revision + 1
    expected = old._replace(
        rpm_limit=None, duration=None, expires=None, models=(), revision=revision
    )
    assert new._replace(revision=revision) == expected == team.records.find("team-a").record
    changed = {"rpm_limit", "duration", "expires", "models", "revision"}
    after = team.item("team-a")
    assert {k: v for k, v in before.items() if k not in changed} == {
        k: v for k, v in after.items() if k not in changed
    }
    assert team.records.update("team-a", {"max_budget": None}).budget_duration is None


def test_updates_at_once_lose_nothing(team: Team) -> None:
    created = team.records.create("team-a", {}, None).record
    fields = ["rpm_limit", "tpm_limit", "max_parallel_requests"]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: team.records.update("team-a", {name: 7}), fields))
    record = team.records.find("team-a").record
    assert [getattr(record, name) for name in fields] == [7, 7, 7]
    assert record.revision == created.revision + 3


def test_budget_duration_needs_a_budget(team: Team) -> None:
    with pytest.raises(ToolError, match="--budget-duration needs --budget"):
        team.records.create("team-a", {"budget_duration": "1d"}, None)
    assert team.store.items("") == {}


def test_block_ends_admission_at_once(team: Team) -> None:
    record = team.records.create("team-a", LIMITS, None).record
    bounds = bounds_of(record, DeploymentLimits().windows("", record.rpm_limit))
    claim = Claim("x", "gpt-x", 10, 100, NOW_MS)
    seen = team.item("team-a")
    team.records.update("team-a", {"blocked": True})
    assert not team.store.change_all([admission(bounds, claim, record.key, seen, NOW_MS)])
    team.records.update("team-a", {"blocked": False})
    assert team.begin("team-a")


def test_rotated_key_has_a_new_digest_and_all_that_was_used(team: Team) -> None:
    old = team.records.create("team-a", LIMITS, None).record
    assert team.ended(team.begin("team-a", cost=100))
    running = [team.begin("team-a", cost=40) for _ in range(2)]
    before = team.item("team-a")
    record, key, charged = team.records.rotate("team-a")
    assert key is not None
    assert record.key == account_of_key(key) != old.key
    assert (record.rpm_limit, record.blocked, record.created_at) == (60, False, int(NOW))
    assert (charged, team.store.get_all([old.key])) == (2, {})
    item = team.item("team-a")
    spent, claimed = (next(n for n in item if n.startswith(start)) for start in ("s ", "b "))
    assert (item[spent], item[claimed]) == (50 + 80, 50 + 80)  # what they had claimed
    counters = {name for name in before if name.startswith(("n ", "t "))}
    assert {name: item[name] for name in counters} == {name: before[name] for name in counters}
    assert not any(team.ended(change) for change in running)  # not twice
    assert team.usage() == []  # they count themselves
    assert team.ended(team.begin("team-a"))


def test_request_whose_function_died_is_counted_with_a_rotation(team: Team) -> None:
    team.records.create("team-a", LIMITS, None)
    for _ in range(2):
        team.begin("team-a", cost=40, lasts_ms=0)
    assert team.records.rotate("team-a").charged == 2
    (counts,) = team.usage()
    assert (counts["requests"], counts["micro_usd"], counts["failures"]) == (2, 80, 2)


def test_rotation_of_a_blocked_key_keeps_it_blocked(team: Team) -> None:
    team.records.create("team-a", {}, None)
    team.records.update("team-a", {"blocked": True})
    assert team.records.rotate("team-a").record.blocked
    team.records.create("deployer", {}, ROLE)
    with pytest.raises(ToolError, match="there is no key to rotate"):
        team.records.rotate("deployer")
    assert not team.records.find("deployer").record.blocked


def test_deleted_record_is_gone_and_its_alias_is_free(team: Team) -> None:
    for principal in (None, ROLE):
        old = team.records.create("team-a", LIMITS, principal).record
        running = team.begin("team-a")
        assert team.records.delete("team-a").charged == 1
        assert team.records.all() == []
        assert team.store.get_all([old.key]) == {}
        assert not team.ended(running)
    assert team.records.create("team-a", {}, ROLE).record.principal == ROLE


def test_revision_of_a_deleted_record_never_comes_again(team: Team) -> None:
    """A function that remembers the old record would take the new one for it."""
    seen = [team.records.create("team-a", LIMITS, ROLE).record.revision]
    team.records.update("team-a", {"rpm_limit": 7})
    seen.append(team.records.find("team-a").record.revision)
    team.records.delete("team-a")
    later = Records(team.store, lambda: NOW + 1)
    assert later.create("team-a", {}, ROLE).record.revision > max(seen)


class Meddling:
    """A store on which a request ends, or a command runs, before each of some changes."""

    def __init__(self, store: ToolStore, *meddle: Change) -> None:
        self._store = store
        self._left = list(meddle)

    def items(self, prefix: str) -> Mapping[str, Item]:
        return self._store.items(prefix)

    def get_all(self, keys: Sequence[str]) -> Mapping[str, Item]:
        return self._store.get_all(keys)

    def change_all(self, changes: Sequence[Change]) -> bool:
        if len(changes) > 1 and self._left:
            assert self._store.change_all([self._left.pop()])
        return self._store.change_all(changes)


def test_request_that_ends_during_a_rotation_is_charged_what_it_used(team: Team) -> None:
    team.records.create("team-a", LIMITS, None)
    running = [team.begin("team-a", cost=40) for _ in range(3)]
    ends = [change for change in running[:2] if change]
    meddled = Records(Meddling(team.store, *ends), lambda: NOW, new_key)
    assert meddled.rotate("team-a").charged == 1
    item = team.item("team-a")
    assert next(value for name, value in item.items() if name.startswith("s ")) == 20 + 20 + 40


def test_record_that_never_rests_is_left_blocked(request: pytest.FixtureRequest) -> None:
    team = Team(opened("sqlite", request))
    record = team.records.create("team-a", LIMITS, None).record
    ends = [change for _ in range(20) if (change := team.begin("team-a", cost=1))]
    meddled = Records(Meddling(team.store, *ends), lambda: NOW, new_key)
    with pytest.raises(ToolError, match=r"blocked now\. Try again: npm run keys -- rotate team-a"):
        meddled.rotate("team-a")
    assert team.records.find("team-a").record == record._replace(
        blocked=True, revision=record.revision + 1
    )
