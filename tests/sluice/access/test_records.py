"""Records as items of the store, and which item a principal has."""

from __future__ import annotations

import json

import pytest

from sluice.access.records import Record, item_of, record_of, shown
from sluice.authentication import (
    account_of_key,
    account_of_principal,
    principal_of_key,
    principal_of_signer,
)

FULL = Record(
    key_alias="team",
    token="ab" * 32,
    models=("gpt-*", "o3"),
    prompt_templates=("PROMPT_*",),
    rpm_limit=60,
    tpm_limit=1000,
    max_parallel_requests=2,
    max_budget=1_500_000,
    budget_duration="1mo",
    duration="30d",
    expires=1_800_000_000,
    blocked=True,
    metadata='{"cost_center": 7}',
    created_at=1_700_000_000,
    updated_at=1_700_000_001,
    revision=4,
)


@pytest.mark.parametrize("record", [Record("a", token="0" * 64), FULL], ids=["smallest", "full"])
def test_record_comes_back_from_its_item(record: Record) -> None:
    item = item_of(record)
    assert record_of(item) == record
    assert record_of({**item, "running": 1, "l x": "[]", "t 5": 7}) == record
    assert all(isinstance(value, str | int) for value in item.values())


def test_item_that_only_counts_has_no_record() -> None:
    assert record_of({}) is None
    assert record_of({"running": 1}) is None


def test_record_is_shown_with_litellms_fields() -> None:
    document = json.loads(json.dumps(shown(FULL)))
    assert document["max_budget"] == 1.5
    assert document["models"] == ["gpt-*", "o3"]
    assert document["expires"] == "2027-01-15T08:00:00Z"
    assert document["metadata"] == {"cost_center": 7}
    assert document["blocked"] is True
    assert "revision" not in document
    assert shown(Record("a", principal="arn:aws:iam::1:role/x"))["expires"] is None


def test_account_of_a_key_does_not_reveal_it() -> None:
    account = account_of_key("sk-sluice-secret")
    assert account == Record("team", token=account.removeprefix("key ")).key
    assert "secret" not in account
    assert account_of_key("\udcff") != account


@pytest.mark.parametrize(
    ("arn", "account"),
    [
        ("arn:aws:sts::123:assumed-role/Deploy/session-1", "arn arn:aws:iam::123:role/Deploy"),
        ("arn:aws:iam::123:role/path/Deploy", "arn arn:aws:iam::123:role/Deploy"),
        ("arn:aws-cn:sts::123:assumed-role/D/s", "arn arn:aws-cn:iam::123:role/D"),
        ("arn:aws:iam::123:user/ann", "arn arn:aws:iam::123:user/ann"),
        ("arn:aws:iam::123:root", "arn arn:aws:iam::123:root"),
        ("local", "arn local"),
    ],
)
def test_assumed_role_counts_as_its_role(arn: str, account: str) -> None:
    assert account_of_principal(arn) == account
    assert Record("x", principal=arn).key == account


def test_what_is_counted_without_a_record_is_not_in_the_item_of_one() -> None:
    """The item of counters expires, also where the same key or ARN has a record."""
    arn, key = "arn:aws:iam::123:user/ann", "sk-sluice-secret"
    records = {account_of_principal(arn), account_of_key(key)}
    assert records.isdisjoint({principal_of_signer(arn).account, principal_of_key(key).account})
