"""What only the DynamoDB table does; test_store holds what both stores do."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sluice.errors import StateUnavailable
from sluice.state.changes import Change
from sluice.state.dynamodb import DynamoDbState
from tests.scripted_upstream import ScriptedUpstream, refused_url, replies, silent_until
from tests.sluice.aws.aws_environment import environ_of
from tests.sluice.state.state_opening import LATER, NOW, TABLE, at

if TYPE_CHECKING:
    from collections.abc import Mapping


def store_at(environ: Mapping[str, str]) -> DynamoDbState:
    return DynamoDbState(TABLE, environ, at(NOW))


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        (environ_of(refused_url()), "CannotConnect"),
        (environ_of("no url"), "AWS_ENDPOINT_URL is invalid"),
        ({}, "AWS_REGION is missing"),
    ],
)
def test_table_that_does_not_answer_is_reported(environ: dict[str, str], reason: str) -> None:
    store = store_at(environ)
    with pytest.raises(StateUnavailable, match=rf"did not answer PutItem: {reason}\.$"):
        store.put("the key", {"a": "the value"}, LATER)
    with pytest.raises(StateUnavailable, match=rf"did not answer BatchGetItem: {reason}\.$"):
        store.get_all(["the key"])


@pytest.mark.parametrize(
    ("status", "code", "attempts"),
    [
        (500, "InternalServerError", 3),
        (400, "ProvisionedThroughputExceededException", 3),
        (400, "AccessDeniedException", 1),
    ],
)
def test_refusal_is_reported_by_its_code_after_at_most_three_attempts(
    upstream: ScriptedUpstream, status: int, code: str, attempts: int
) -> None:
    document = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "the key"}
    upstream.script = replies(status, document)
    with (
        closing(store_at(environ_of(upstream.url))) as store,
        pytest.raises(StateUnavailable, match=rf"^The .+ refused PutItem: {code}\.$"),
    ):
        store.put("the key", {}, LATER)
    sent = [request.headers["x-amz-target"] for request in upstream.requests]
    assert sent == ["DynamoDB_20120810.PutItem"] * attempts


def test_silent_table_is_not_waited_for_longer_than_the_total(upstream: ScriptedUpstream) -> None:
    done = threading.Event()
    upstream.script = silent_until(done)
    with closing(DynamoDbState(TABLE, environ_of(upstream.url), at(NOW), total_s=0.05)) as store:
        with pytest.raises(StateUnavailable, match="did not answer BatchGetItem"):
            store.get_all(["the key"])
        with pytest.raises(StateUnavailable, match="did not answer UpdateItem"):
            store.change(Change("the key", LATER))
        done.set()
    assert len(upstream.requests) == 2


@pytest.mark.usefixtures("table")
def test_missing_table_is_reported_by_awss_code() -> None:
    store = DynamoDbState("another", os.environ, at(NOW))
    with pytest.raises(StateUnavailable, match="refused PutItem: ResourceNotFoundException"):
        store.put("the key", {"a": "the value"}, LATER)
    with pytest.raises(StateUnavailable, match="refused BatchGetItem: ResourceNotFoundException"):
        store.get_all(["the key"])
    store.close()


def test_no_keys_need_no_call() -> None:
    assert store_at({}).get_all([]) == {}
