"""A UrlGateway in front of a scripted model, from a Function URL's event to the reply."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sluice.url.events import parse_url_request
from sluice.url.gateway import UrlGateway
from tests.sluice.answering import SECRET, Bench, answering_with
from tests.sluice.clocks import deadline_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.state.store import StateStore

HELLO = [{"role": "user", "content": "Hello"}]
LOCK = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": "fk-1234567890-of-clients"}


@dataclass
class Reply:
    """A reply as Lambda would get it."""

    metadata: dict[str, Any] = field(default_factory=dict)
    writes: list[bytes] = field(default_factory=list)
    ended: bool = False

    def open(self, metadata: dict[str, Any]) -> Reply:
        assert not self.writes
        self.metadata = metadata
        return self

    def write(self, data: bytes, /) -> int:
        assert not self.ended
        self.writes.append(data)
        return len(data)

    def end(self, data: bytes | None = None, /) -> None:
        if data is not None:
            self.write(data)
        self.ended = True

    @property
    def status(self) -> int:
        status: int = self.metadata["statusCode"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        headers: dict[str, str] = self.metadata["headers"]
        return headers

    @property
    def body(self) -> bytes:
        return b"".join(self.writes)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.body)["error"]
        assert error.keys() >= {"message", "type", "param", "code"}
        return error

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of an error."""
        return self.status, self.error["code"]


class UrlBench(Bench):
    """Each request goes to a new gateway, set up by `settings` and upper-case keywords."""

    def ask(
        self,
        method: str = "GET",
        path: str = "/",
        body: object = None,
        *,
        query: dict[str, str] | None = None,
        raw_query: str = "",
        headers: dict[str, str] | None = None,
        remaining_ms: int = 900_000,
        settings: Mapping[str, str] | None = None,
        **environ: str,
    ) -> Reply:
        own = {"OPENAI_BASE_URL": self.upstream.url, "OPENAI_API_KEY": SECRET}
        event = event_of(method, path, body, query=query, raw_query=raw_query, headers=headers)
        return answer_to(event, gateway_of(**{**own, **(settings or {}), **environ}), remaining_ms)

    def hello(self, **more: Any) -> Reply:
        """The streamed answer to a message in the query."""
        return self.ask(query={"message": "Hello"}, **more)

    def chat(self, **more: Any) -> Reply:
        """The streamed answer to a native request."""
        body = {"model": "gpt-4", "messages": HELLO, "stream": True}
        return self.ask("POST", "/v1/chat/completions", body, **more)

    @property
    def root(self) -> str:
        """The upstream's URL without /v1."""
        return self.upstream.url.removesuffix("/v1")

    @property
    def targets(self) -> list[str]:
        """What the upstream was asked for."""
        return [request.target for request in self.upstream.requests]


def event_of(
    method: str,
    path: str,
    body: object = None,
    *,
    query: dict[str, str] | None = None,
    raw_query: str = "",
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A Function URL's event; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {
        "requestContext": {"requestId": "r-1", "http": {"method": method}},
        "rawPath": path,
        "rawQueryString": raw_query,
        "headers": {"content-type": "application/json", **(headers or {})},
        **({"queryStringParameters": query} if query else {}),
        **({} if body is None else {"body": base64.b64encode(data), "isBase64Encoded": True}),
    }


def answer_to(
    event: dict[str, Any],
    gateway: UrlGateway,
    remaining_ms: int = 900_000,
    reply: Reply | None = None,
) -> Reply:
    """The gateway's reply; pass `reply` to look on."""
    reply = reply or Reply()
    gateway.answer(parse_url_request(event), reply.open, deadline_in(remaining_ms))
    assert reply.ended
    assert reply.body
    return reply


def gateway_of(**variables: str) -> UrlGateway:
    """A gateway that does not pause between attempts."""
    return gateway_with(variables)


def gateway_with(variables: Mapping[str, str], store: StateStore | None = None) -> UrlGateway:
    """The same. store: where records and limits count."""
    settings, targets, forward_keys, answers, access = answering_with(variables, store)
    return UrlGateway(settings, answers, targets, forward_keys, access)
