"""A WebSocketGateway in front of a scripted model, from a client's message to the frames posted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sluice.websocket.cancellation_watch import LookTimes
from sluice.websocket.connections_api import ConnectionsClient
from sluice.websocket.events import MessageEvent
from sluice.websocket.gateway import WebSocketGateway
from tests.sluice.answering import SECRET, Bench, answering_with
from tests.sluice.clocks import deadline_in

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from sluice.state.connections import ConnectionState
    from sluice.state.store import StateStore
    from sluice.stop_signal import StopSignal
    from sluice.websocket.posting import BackOff
    from tests.scripted_upstream import ScriptedUpstream

HELLO = [{"role": "user", "content": "Hello"}]
TEMPLATE = {"messages": HELLO}
PLAIN = {"action": "sendmessage", "data": "Hello"}
CHAT = {"action": "chat", "id": "7", "request": {"model": "m", "messages": HELLO}}
AT_MS = 1_700_000_000_000
OFTEN = LookTimes(first=0.005, next=0.005)


class Posts(ConnectionsClient):
    """@connections that keeps frames; `on_post` may raise."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1/dev", {})
        self.on_post: Callable[[bytes], object] = lambda _frame: None
        self.on_close: Callable[[], object] = lambda: None
        self.frames: list[str] = []
        self.endpoints: list[str] = []

    def post(
        self,
        connection_id: str,
        frame: bytes,
        timeout_s: float = 30.0,
        stop_signal: StopSignal | None = None,  # noqa: ARG002 -- the client's signature
    ) -> None:
        assert timeout_s > 0
        assert connection_id == "c-1="
        self.on_post(frame)
        self.frames.append(frame.decode())

    def close(self) -> None:
        self.on_close()

    def at(self, endpoint: str) -> Posts:
        self.endpoints.append(endpoint)
        return self


class WebSocketBench(Bench):
    """Each message goes to a new gateway, set up by upper-case keywords.

    state: the store of cancellations, if there is one. posts: where its frames go.
    """

    def __init__(self, upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(upstream, capsys)
        self.posts = Posts()
        self.state: ConnectionState | None = None

    def send(self, message: object, remaining_ms: int = 900_000, **environ: str) -> list[str]:
        """The frames that answer a message."""
        variables = {"OPENAI_BASE_URL": self.upstream.url, "OPENAI_API_KEY": SECRET, **environ}
        gateway = gateway_with(variables, self.posts, self.state)
        self.posts.frames.clear()
        gateway.answer(message_of(message), deadline_in(remaining_ms))
        return list(self.posts.frames)

    def documents(
        self, message: object, remaining_ms: int = 900_000, **environ: str
    ) -> list[dict[str, Any]]:
        """The same, each parsed from JSON."""
        return [json.loads(frame) for frame in self.send(message, remaining_ms, **environ)]

    @property
    def error(self) -> dict[str, Any]:
        """The error in the last frame."""
        document = json.loads(self.posts.frames[-1])
        assert document["requestId"] == "r-1"
        assert document["error"].keys() == {"message", "type", "param", "code"}
        error: dict[str, Any] = document["error"]
        return error


def message_of(message: object, at_ms: int = AT_MS) -> MessageEvent:
    body = message if isinstance(message, str) else json.dumps(message)
    return MessageEvent("c-1=", "r-1", "abc.example.com", "dev", body, at_ms, "192.0.2.1")


def gateway_with(
    variables: dict[str, str],
    posts: ConnectionsClient,
    state: ConnectionState | None = None,
    back_off: BackOff | None = None,
    store: StateStore | None = None,
) -> WebSocketGateway:
    """store: where records and limits count."""
    settings, _, _, answers, access = answering_with(variables, store)
    connect = posts.at if isinstance(posts, Posts) else lambda _endpoint: posts
    return WebSocketGateway(settings, answers, connect, state, access, back_off, OFTEN)
