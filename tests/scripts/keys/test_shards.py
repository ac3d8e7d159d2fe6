"""Records whose counting is split: every command changes all of their items, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.access.errors import ToolError
from scripts.keys.command_line import command_line
from scripts.keys.commands import Records
from scripts.keys.shown import described, details
from sluice.access.account import Claim, Used, admission, lease_of, settlement
from sluice.access.gate import bounds_of
from sluice.access.records import Record, record_of
from sluice.access.shards import MAX_SHARDS, Part, shard_accounts
from tests.scripts.tool_stores import BOTH, NOW, opened

if TYPE_CHECKING:
    from scripts.access.store import ToolStore

FIELDS = {"shards": 3, "max_budget": 9000, "max_parallel_requests": 6}
NOW_MS = int(NOW * 1000)


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest) -> ToolStore:
    return opened(request.param, request)


def run(store: ToolStore, record: Record, number: int, cost: int, *, is_settled: bool) -> None:
    """A request that the gate lets through in one shard."""
    account = shard_accounts(record.key, record.shards)[number]
    bounds = bounds_of(record, (), Part(number, record.shards))
    claim = Claim(f"{number}", "gpt", 10, cost, NOW_MS + 60_000)
    assert store.change_all([admission(bounds, claim, account, {}, NOW_MS)])
    lease = lease_of(bounds, claim, NOW_MS)
    if is_settled:
        assert store.change_all([settlement(bounds, account, lease, Used(5, cost), NOW_MS)])


def test_record_is_in_every_shard_and_changes_in_all(store: ToolStore) -> None:
    records = Records(store, lambda: NOW)
    created = records.create("busy", FIELDS, None).record
    records.create("quiet", {}, None)
    blocked = records.update("busy", {"blocked": True})
    found = store.get_all(shard_accounts(created.key, 3))
    changed = blocked._replace(revision=created.revision + 1)
    assert [record_of(item) for item in found.values()] == [changed] * 3
    assert [each.record.key_alias for each in records.all()] == ["busy", "quiet"]
    assert len(store.items("key ")) == 4


def test_what_shards_count_is_shown_as_one(store: ToolStore) -> None:
    records = Records(store, lambda: NOW)
    record = records.create("busy", FIELDS, None).record
    run(store, record, 0, 1000, is_settled=True)
    run(store, record, 2, 2000, is_settled=False)
    (stored,) = records.all()
    for each in (stored, records.find("busy")):
        info = described(each, NOW, "fixed-window")
        assert (info["spend"], info["reserved"], info["running_requests"]) == (0.001, 0.002, 1)
        assert (info["max_budget"], info["shards"]) == (0.009, 3)
    assert "1 of 6 at once used" in details(stored, NOW, "fixed-window")


def test_rotation_moves_every_shard_and_deletion_removes_it(store: ToolStore) -> None:
    records = Records(store, lambda: NOW)
    old = records.create("busy", FIELDS, None).record
    run(store, old, 1, 1000, is_settled=True)
    run(store, old, 2, 2000, is_settled=False)
    rotated = records.rotate("busy")
    assert rotated.charged == 1
    assert all(not item for item in store.get_all(shard_accounts(old.key, 3)).values())
    info = described(records.find("busy"), NOW, "fixed-window")
    assert (info["spend"], info["reserved"], info["running_requests"]) == (0.003, 0, 0)
    run(store, rotated.record, 0, 500, is_settled=False)
    assert records.delete("busy").charged == 1
    assert store.items("key ") == {}


def test_shards_are_given_once_and_each_limit_can_be_split(
    store: ToolStore, capsys: pytest.CaptureFixture[str]
) -> None:
    records = Records(store, lambda: NOW)
    with pytest.raises(ToolError, match=r"must be at least --shards, which split it \(rpm_limit\)"):
        records.create("busy", {"shards": 3, "rpm_limit": 2}, None)
    parser = command_line()
    assert parser.parse_args(["create", "busy", "--shards", str(MAX_SHARDS)]).shards == MAX_SHARDS
    for arguments in (["create", "x", "--shards", "21"], ["update", "x", "--shards", "2"]):
        with pytest.raises((ToolError, SystemExit)):
            parser.parse_args(arguments)
    capsys.readouterr()


def test_largest_number_of_shards_can_be_rotated_and_deleted(store: ToolStore) -> None:
    records = Records(store, lambda: NOW)
    record = records.create("busy", {"shards": MAX_SHARDS}, None).record
    for number in range(MAX_SHARDS):
        run(store, record, number, 1, is_settled=False)
    later = Records(store, lambda: NOW + 3600)  # all leases are over: each is charged in reports
    assert later.rotate("busy").charged == MAX_SHARDS
    later.delete("busy")
    assert len(store.items("usage ")) == MAX_SHARDS
