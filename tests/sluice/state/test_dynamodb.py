"""What only the DynamoDB table has; test_store holds what both stores have."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from sluice.errors import StateUnavailable
from sluice.state.dynamodb import DynamoDbState
from tests.sluice.state.state_opening import LATER, NOW, TABLE, at

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.usefixtures("account")
def test_refused_endpoint_is_told_after_few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening:  # accepts nothing: it does not listen
        listening.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
        store = DynamoDbState(TABLE, at(NOW))
        with pytest.raises(StateUnavailable, match="did not answer PutItem"):
            store.put("the key", {"a": "the value"}, LATER)
        with pytest.raises(StateUnavailable, match="did not answer BatchGetItem") as refused:
            store.get_all(["the key"])
    assert type(refused.value.__cause__).__name__ == "EndpointConnectionError"


@pytest.mark.usefixtures("account")
def test_silent_endpoint_is_asked_twice_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # the kernel accepts, nobody answers
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
        with pytest.raises(StateUnavailable, match="did not answer BatchGetItem") as silent:
            DynamoDbState(TABLE, at(NOW)).get_all(["key"])
        assert type(silent.value.__cause__).__name__ == "ReadTimeoutError"
        listening.settimeout(0)
        asked = 0
        while True:
            try:
                listening.accept()[0].close()
            except BlockingIOError:
                break
            asked += 1
    assert asked == 2


@contextmanager
def scripted_endpoint(status: int, document: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """A DynamoDB that always answers this; its URL, and the operations that it was asked for."""
    operations = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            operations.append(self.headers["X-Amz-Target"].rpartition(".")[2])
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", operations
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("account")
def test_keys_that_dynamodb_left_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    left = {"Responses": {TABLE: []}, "UnprocessedKeys": {TABLE: {"Keys": [{"id": {"S": "key"}}]}}}
    with scripted_endpoint(200, left) as (url, operations):
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        with pytest.raises(StateUnavailable, match="throttled BatchGetItem"):
            DynamoDbState(TABLE, at(NOW)).get_all(["key"])
    assert operations == ["BatchGetItem"]  # who looks, looks again


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("status", "code", "attempts"),
    [
        (500, "InternalServerError", 2),
        (400, "ProvisionedThroughputExceededException", 2),
        (400, "AccessDeniedException", 1),
    ],
)
def test_refusal_is_told_by_its_code_after_at_most_two_attempts(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, attempts: int
) -> None:
    refusal = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "the key"}
    with scripted_endpoint(status, refusal) as (url, operations):
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        with pytest.raises(StateUnavailable, match=rf"^The .+ refused PutItem: {code}\.$"):
            DynamoDbState(TABLE, at(NOW)).put("the key", {}, LATER)
    assert operations == ["PutItem"] * attempts


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("endpoint", ["no url", "http://[::1"])
def test_endpoint_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
    with pytest.raises(StateUnavailable, match="did not answer PutItem"):
        DynamoDbState(TABLE, at(NOW)).put("key", {}, LATER)


@pytest.mark.usefixtures("table")
def test_missing_table_is_told_by_awss_code() -> None:
    store = DynamoDbState("another", at(NOW))
    with pytest.raises(StateUnavailable, match="refused PutItem: ResourceNotFoundException"):
        store.put("the key", {"a": "the value"}, LATER)
    with pytest.raises(StateUnavailable, match="refused BatchGetItem: ResourceNotFoundException"):
        store.get_all(["the key"])


@pytest.mark.usefixtures("account")
def test_no_keys_need_no_call() -> None:
    assert DynamoDbState("no such table", at(NOW)).get_all([]) == {}
