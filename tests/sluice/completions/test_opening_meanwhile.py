"""The store and the provider at once: a request is admitted while its connection is opened.

Both are real sockets. Each goes on only when it has seen the other asked, so a gateway that asked
one after the other would wait for ever, in either order.
"""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sluice.access.records import Record, item_of
from sluice.authentication import account_of_key
from sluice.aws.attribute_values import typed_item
from sluice.state.connections import ConnectionOwner, ConnectionState
from sluice.state.dynamodb import DynamoDbState
from sluice.state.sqlite import SqliteState
from tests.scripted_upstream import (
    PATIENCE_S,
    ScriptedUpstream,
    UpstreamRequest,
    replies,
    says,
    scripted_upstream,
)
from tests.sluice.aws.aws_environment import environ_of
from tests.sluice.clocks import FOREVER
from tests.sluice.state.state_opening import PATIENT
from tests.sluice.url.asking import HELLO, LOCK, answer_to, event_of
from tests.sluice.url.asking import gateway_with as url_gateway_with
from tests.sluice.websocket.asking import CHAT, Posts, message_of
from tests.sluice.websocket.asking import gateway_with as websocket_gateway_with

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from sluice.url.gateway import UrlGateway
    from tests.sluice.certificate_authority import CertificateAuthority
    from tests.sluice.url.asking import Reply

FORWARD_KEY = LOCK["FORWARD_KEY"]
TEAMS_KEY = "sk-sluice-0123456789"
RECORD = Record(
    "team", token=account_of_key(TEAMS_KEY).removeprefix("key "), max_parallel_requests=1
)
LIMIT = {"REQ_RATE_LIMIT": '{"/v1/chat/completions": "2/day"}'}
TABLE = "sluice-test-state"
REFUSED = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}


class Meeting:
    """A table and a provider that wait for each other."""

    def __init__(self, upstream: ScriptedUpstream, authority: CertificateAuthority) -> None:
        self.upstream = upstream
        self.item: dict[str, Any] = {"id": RECORD.key, **item_of(RECORD)}
        self.refuses = False
        """Whether the table's item keeps its guards from holding."""
        self.operations: list[str] = []
        self.hellos = 0
        self._hello, self._asked = threading.Event(), threading.Event()
        self.variables = {
            **LOCK,
            "OPENAI_BASE_URL": upstream.url.replace("http:", "https:"),
            "OPENAI_API_KEY": "sk-provider",
            "SSL_CERT_FILE": str(authority.file),
        }

    def say_hello(self, *_connection: object) -> None:
        """The provider got a ClientHello."""
        self.hellos += 1
        self._hello.set()
        assert self._asked.wait(PATIENCE_S)

    def serve_table(self, request: UpstreamRequest, connection: socket.socket) -> None:
        operation = request.headers["x-amz-target"].rpartition(".")[2]
        self.operations.append(operation)
        self._asked.set()
        assert self._hello.wait(PATIENCE_S)
        row = typed_item(self.item)
        answers = {
            "BatchGetItem": (200, {"Responses": {TABLE: [row]}}),
            "UpdateItem": (400, {**REFUSED, "Item": row}) if self.refuses else (200, {}),
        }
        replies(*answers[operation])(request, connection)


class World(NamedTuple):
    meeting: Meeting
    store: DynamoDbState

    def url(self, **more: str) -> UrlGateway:
        return url_gateway_with({**self.meeting.variables, **more}, self.store)


@pytest.fixture
def world(authority: CertificateAuthority) -> Iterator[World]:
    tls = authority.serving("127.0.0.1")
    with scripted_upstream(tls) as upstream, scripted_upstream() as table:
        upstream.script = says("Hel", "lo")
        meeting = Meeting(upstream, authority)
        tls.sni_callback = meeting.say_hello
        table.script = meeting.serve_table
        endpoint = table.url.removesuffix("/v1")
        limits, seconds = PATIENT, PATIENT.total_s
        store = DynamoDbState(TABLE, environ_of(endpoint), limits=limits, total_s=seconds)
        with closing(store):
            yield World(meeting, store)


def ask(gateway: UrlGateway, key: str) -> Reply:
    body = {"model": "gpt", "messages": HELLO, "stream": True}
    headers = {"authorization": f"Bearer {key}"}
    return answer_to(event_of("POST", "/v1/chat/completions", body, headers=headers), gateway)


def test_claim_of_a_limit_meets_the_opening(world: World) -> None:
    gateway = world.url(**LIMIT)
    for _ in range(2):  # the second over the kept connection
        assert ask(gateway, FORWARD_KEY).status == 200
        assert world.meeting.operations[0] == "UpdateItem"
        assert world.meeting.hellos == 1


def test_record_is_read_and_claimed_from_meanwhile(world: World) -> None:
    gateway = world.url()
    assert ask(gateway, TEAMS_KEY).status == 200
    assert world.meeting.operations[:2] == ["BatchGetItem", "UpdateItem"]
    assert world.meeting.hellos == 1


def test_connection_of_a_refused_request_is_the_next_ones(world: World) -> None:
    """Whoever asks: nothing was sent over it."""
    meeting, gateway = world.meeting, world.url(**LIMIT)
    meeting.item["running"], meeting.refuses = 1, True
    assert ask(gateway, TEAMS_KEY).refusal == (429, "rate_limit_exceeded")
    meeting.refuses = False
    assert ask(gateway, FORWARD_KEY).status == 200
    assert meeting.hellos == meeting.upstream.connections == 1


def test_message_of_a_websocket_is_admitted_meanwhile(world: World, tmp_path: Path) -> None:
    state = ConnectionState(SqliteState(str(tmp_path / "state.sqlite3")))
    message, posts = message_of(CHAT), Posts()
    state.opened(message.connection_id, ConnectionOwner("team", RECORD.key, has_record=True))
    variables = {**world.meeting.variables, "WEBSOCKET_AUTH": "forward_key"}
    gateway = websocket_gateway_with(variables, posts, state, store=world.store)
    gateway.answer(message, FOREVER)
    assert '"done":true' in posts.frames[-1].replace(" ", "")
    assert world.meeting.operations[:2] == ["BatchGetItem", "UpdateItem"]
