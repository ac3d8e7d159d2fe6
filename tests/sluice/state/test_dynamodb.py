"""What only the DynamoDB table does; test_store holds what both stores do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.errors import StateUnavailable
from sluice.state.dynamodb import DynamoDbState
from tests.scripted_upstream import ScriptedUpstream, holds_after, refused_url, replies
from tests.sluice.state.state_opening import LATER, NOW, TABLE, at

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture
def store_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], DynamoDbState]:
    def store(endpoint: str) -> DynamoDbState:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
        return DynamoDbState(TABLE, at(NOW))

    return store


def operations(endpoint: ScriptedUpstream) -> list[str]:
    return [sent.headers["x-amz-target"].rpartition(".")[2] for sent in endpoint.requests]


def test_refused_endpoint_is_reported(store_at: Callable[[str], DynamoDbState]) -> None:
    store = store_at(refused_url())
    with pytest.raises(StateUnavailable, match="did not answer PutItem"):
        store.put("the key", {"a": "the value"}, LATER)
    with pytest.raises(StateUnavailable, match="did not answer BatchGetItem") as refused:
        store.get_all(["the key"])
    assert type(refused.value.__cause__).__name__ == "EndpointConnectionError"


def test_silent_endpoint_is_asked_twice(
    upstream: ScriptedUpstream, store_at: Callable[[str], DynamoDbState]
) -> None:
    upstream.script = holds_after()
    with pytest.raises(StateUnavailable, match="did not answer BatchGetItem") as silent:
        store_at(upstream.url).get_all(["key"])
    assert type(silent.value.__cause__).__name__ == "ReadTimeoutError"
    assert operations(upstream) == ["BatchGetItem"] * 2


def test_throttled_read_is_not_repeated(
    upstream: ScriptedUpstream, store_at: Callable[[str], DynamoDbState]
) -> None:
    left = {TABLE: {"Keys": [{"id": {"S": "key"}}]}}
    upstream.script = replies(200, {"Responses": {TABLE: []}, "UnprocessedKeys": left})
    with pytest.raises(StateUnavailable, match="throttled BatchGetItem"):
        store_at(upstream.url).get_all(["key"])
    assert operations(upstream) == ["BatchGetItem"]  # the caller looks again


@pytest.mark.parametrize(
    ("status", "code", "attempts"),
    [
        (500, "InternalServerError", 2),
        (400, "ProvisionedThroughputExceededException", 2),
        (400, "AccessDeniedException", 1),
    ],
)
def test_refusal_is_reported_by_its_code_after_at_most_two_attempts(
    upstream: ScriptedUpstream,
    store_at: Callable[[str], DynamoDbState],
    status: int,
    code: str,
    attempts: int,
) -> None:
    document = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "the key"}
    upstream.script = replies(status, document)
    with pytest.raises(StateUnavailable, match=rf"^The .+ refused PutItem: {code}\.$"):
        store_at(upstream.url).put("the key", {}, LATER)
    assert operations(upstream) == ["PutItem"] * attempts


@pytest.mark.parametrize("endpoint", ["no url", "http://[::1"])
def test_invalid_endpoint_is_reported(
    store_at: Callable[[str], DynamoDbState], endpoint: str
) -> None:
    with pytest.raises(StateUnavailable, match="did not answer PutItem"):
        store_at(endpoint).put("key", {}, LATER)


@pytest.mark.usefixtures("table")
def test_missing_table_is_reported_by_awss_code() -> None:
    store = DynamoDbState("another", at(NOW))
    with pytest.raises(StateUnavailable, match="refused PutItem: ResourceNotFoundException"):
        store.put("the key", {"a": "the value"}, LATER)
    with pytest.raises(StateUnavailable, match="refused BatchGetItem: ResourceNotFoundException"):
        store.get_all(["the key"])


def test_no_keys_need_no_call() -> None:
    assert DynamoDbState("no such table", at(NOW)).get_all([]) == {}
