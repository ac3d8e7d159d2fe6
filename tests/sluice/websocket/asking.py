"""The WebSocket gateway as the tests ask it, and @connections that keeps what it posts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sluice.aws.ssm_parameter import read_parameter
from sluice.completions.answer import ModelAnswers
from sluice.key_ring import KeyRing
from sluice.settings import read_settings
from sluice.upstream.client import OpenAIClient
from sluice.upstream.targets import read_targets
from sluice.websocket.cancellation_watch import LookTimes
from sluice.websocket.connections_api import ConnectionsClient
from sluice.websocket.events import MessageEvent
from sluice.websocket.gateway import WebSocketGateway
from tests.sluice.deadlines import deadline_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.state.connections import ConnectionState
    from sluice.websocket.delivery import BackOff

HELLO = [{"role": "user", "content": "Hello"}]
AT_MS = 1_700_000_000_000
OFTEN = LookTimes(first=0.005, next=0.005)
SECRET = "sk-secret-0123456789"


class Posts(ConnectionsClient):
    """@connections that keeps frames; `on_post` may refuse them."""

    def __init__(self, on_post: Callable[[bytes], None] | None = None) -> None:
        super().__init__("http://127.0.0.1:1/dev", {})
        self._on_post = on_post
        self.frames: list[str] = []
        self.endpoints: list[str] = []

    def post(self, connection_id: str, frame: bytes, timeout_s: float = 30.0) -> None:
        assert timeout_s > 0
        assert connection_id == "c-1="
        if self._on_post is not None:
            self._on_post(frame)
        self.frames.append(frame.decode())

    def at(self, endpoint: str) -> Posts:
        self.endpoints.append(endpoint)
        return self

    @property
    def error(self) -> dict[str, Any]:
        document = json.loads(self.frames[-1])
        assert document["requestId"] == "r-1"
        assert document["error"].keys() == {"message", "type", "param", "code"}
        error: dict[str, Any] = document["error"]
        return error


def send(
    url: str,
    message: object,
    posts: Posts,
    remaining_ms: int = 900_000,
    *,
    state: ConnectionState | None = None,
    **environ: str,
) -> list[str]:
    """The frames that a message is answered by."""
    variables = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": SECRET, **environ}
    gateway = gateway_with(variables, posts, state)
    gateway.answer(message_of(message), deadline_in(remaining_ms))
    return posts.frames


def message_of(message: object, at_ms: int = AT_MS) -> MessageEvent:
    body = message if isinstance(message, str) else json.dumps(message)
    return MessageEvent("c-1=", "r-1", "abc.example.com", "dev", body, at_ms)


def gateway_with(
    variables: dict[str, str],
    posts: ConnectionsClient,
    state: ConnectionState | None = None,
    back_off: BackOff | None = None,
) -> WebSocketGateway:
    settings = read_settings(variables)
    targets = read_targets(variables, settings)
    client = OpenAIClient(settings, targets, read_parameter, random=lambda: 0.0)
    forward_keys = KeyRing(settings.forward_keys, read_parameter)
    answers = ModelAnswers(settings, variables, client, targets[0], forward_keys)
    connect = posts.at if isinstance(posts, Posts) else lambda _endpoint: posts
    return WebSocketGateway(settings, answers, connect, state, back_off, OFTEN)
