"""The integrations of a WebSocket API: calls the functions of its routes, up to 29 seconds.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integrations.html
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from local.api_gateway.event import (
    CONNECT,
    DISCONNECT,
    Peer,
    connect_event,
    disconnect_event,
    message_event,
    select_route,
)
from local.clock import Clock
from local.errors import PreludeError
from local.http.prelude import head_from
from local.invocation import Invoker, WholeAnswer
from local.limits import INTEGRATION_TIMEOUT_S, MAX_BUFFERED_RESPONSE_BYTES

FORBIDDEN = "Forbidden"
FAILED = "Internal server error"
TIMED_OUT = "Endpoint request timed out"


@dataclass(frozen=True, slots=True)
class ProxyAnswer:
    """The status that a function answered, and the sub-protocol it chose."""

    status: int
    protocol: str | None

    def is_success(self) -> bool:
        """Return whether the status accepts a connection."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110: 2xx is success


@dataclass(frozen=True, slots=True)
class Integrations:
    """The functions of the routes; `selection` says where a message names its route."""

    pools: Mapping[str, Invoker]
    selection: str
    clock: Clock

    async def connect(self, peer: Peer) -> ProxyAnswer:
        """Return the answer of $connect; without that route, every client is accepted."""
        pool = self.pools.get(CONNECT)
        if pool is None:
            return ProxyAnswer(HTTPStatus.OK, None)
        event = connect_event(peer, str(uuid.uuid4()), self.clock.now())
        try:
            return await self._answer(pool, event) or ProxyAnswer(HTTPStatus.BAD_GATEWAY, None)
        except TimeoutError:
            return ProxyAnswer(HTTPStatus.GATEWAY_TIMEOUT, None)

    async def message(self, peer: Peer, body: str, request_id: str) -> str | None:
        """Call the function of a message; return a text for the client, or None.

        The function has the event before this first waits, so that messages keep their order.
        """
        route = select_route(body, self.selection, tuple(self.pools))
        if route is None:
            return FORBIDDEN
        event = message_event(peer, route, body, request_id, self.clock.now())
        try:
            answer = await self._answer(self.pools[route], event)
        except TimeoutError:
            return TIMED_OUT
        return FAILED if answer is None else None

    def disconnect(self, peer: Peer, code: int, reason: str) -> None:
        """Call $disconnect without waiting for its outcome: best effort, as AWS says."""
        pool = self.pools.get(DISCONNECT)
        if pool is not None:
            event = disconnect_event(peer, code, reason, str(uuid.uuid4()), self.clock.now())
            pool.submit(event, WholeAnswer(MAX_BUFFERED_RESPONSE_BYTES))

    async def _answer(self, pool: Invoker, event: bytes) -> ProxyAnswer | None:
        """Return the function's answer, or None after a failure; raises TimeoutError."""
        receiver = WholeAnswer(MAX_BUFFERED_RESPONSE_BYTES)
        invocation = pool.submit(event, receiver)
        async with self.clock.timeout(INTEGRATION_TIMEOUT_S):
            # The function continues when API Gateway stops waiting.
            failure = await asyncio.shield(invocation.outcome)
        if failure is not None or receiver.too_large:
            return None
        return _proxy_answer(receiver.body())


def _proxy_answer(payload: bytes) -> ProxyAnswer | None:
    """Return the answer, or None if it is invalid for a proxy integration."""
    try:
        document = json.loads(payload)
        if not isinstance(document, dict) or "statusCode" not in document:
            return None
        head = head_from(document)
    except (ValueError, PreludeError):
        return None
    return ProxyAnswer(head.status, head.header("sec-websocket-protocol"))
