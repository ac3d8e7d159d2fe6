"""@connections over real sockets, with the `websockets` client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from botocore.credentials import Credentials

from local.api_gateway.connections_api import connection_id_in
from local.errors import FunctionFailure
from local.invocation import AnswerReceiver
from local.limits import MAX_MESSAGE_BYTES, POST_DRAIN_TIMEOUT_S
from tests.local.api_gateway.websocket_bench import OK, closed_with, serving
from tests.local.hand_clock import HandClock


async def test_post_reaches_the_client_as_text() -> None:
    async with serving() as it, it.connect() as socket:
        connection_id = await it.opened()
        for stage in ("", "/dev"):
            response = await it.call("POST", connection_id, "hä".encode(), stage)
            assert response.status == 200
            assert await socket.recv() == "hä"
        assert (await it.call("POST", connection_id, b"\xff")).status == 200
        assert await socket.recv() == "\ufffd"


async def test_post_before_connect_has_answered_is_gone() -> None:
    async def script(event: Any, receiver: AnswerReceiver) -> FunctionFailure | None:
        await answered.wait()
        return await OK(event, receiver)

    answered = asyncio.Event()
    async with serving(on_connect=script) as it:
        connecting = asyncio.create_task(it.connect().__aenter__())
        connection_id = await it.opened()
        response = await it.call("POST", connection_id, b"x")
        assert response.status == 410
        assert response.headers["x-amzn-ErrorType"] == "GoneException"
        answered.set()
        socket = await connecting
        assert (await it.call("POST", connection_id, b"x")).status == 200
        await socket.close()


async def test_post_passes_up_to_the_maximum_size() -> None:
    async with serving() as it, it.connect() as socket:
        connection_id = await it.opened()
        assert (await it.call("POST", connection_id, b"x" * MAX_MESSAGE_BYTES)).status == 200
        assert len(await socket.recv()) == MAX_MESSAGE_BYTES
        response = await it.call("POST", connection_id, b"x" * (MAX_MESSAGE_BYTES + 1))
        assert response.status == 413
        assert response.headers["x-amzn-ErrorType"] == "PayloadTooLargeException"


async def test_wrong_signature_or_method_is_forbidden() -> None:
    async with serving() as it, it.connect():
        connection_id = await it.opened()
        response = await it.call("POST", connection_id, b"x", keys=Credentials("local", "wrong"))
        assert response.status == 403
        assert response.headers["x-amzn-ErrorType"] == "InvalidSignatureException"
        assert (await it.call("PUT", connection_id)).status == 403
        url = f"http://127.0.0.1:{it.port}/@connections/x"
        async with it.http.post(url, data=b"x") as unsigned:
            assert unsigned.status == 403


async def test_connection_is_described() -> None:
    async with serving() as it:
        async with it.connect(user_agent_header="me/1"):
            response = await it.call("GET", await it.opened())
            document = json.loads(await response.text())
            assert document["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "me/1"}
            assert document["connectedAt"].endswith("Z")
            assert document["lastActiveAt"] >= document["connectedAt"]
        assert (await it.call("GET", "unknown=")).status == 410


async def test_deleted_connection_is_closed() -> None:
    async with serving() as it, it.connect() as socket:
        connection_id = await it.opened()
        closing = asyncio.create_task(closed_with(socket))
        assert (await it.call("DELETE", connection_id)).status == 204
        assert await closing == 1000
        assert (await it.call("DELETE", connection_id)).status == 410


async def ended_or_waiting(posting: asyncio.Task[Any], clock: HandClock) -> None:
    """Wait until the post has its answer or waits for the client."""
    waiting = asyncio.create_task(clock.armed(POST_DRAIN_TIMEOUT_S))
    await asyncio.wait([posting, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def test_post_to_a_client_that_reads_nothing_is_rejected_after_a_wait() -> None:
    async with serving() as it, it.connect(max_queue=1) as socket:
        connection_id = await it.opened()
        socket.transport.pause_reading()
        answers: list[int] = []
        while 429 not in answers:
            posting = asyncio.create_task(it.call("POST", connection_id, b"x" * 100_000))
            await ended_or_waiting(posting, it.clock)
            it.clock.advance(POST_DRAIN_TIMEOUT_S)
            answers.append((await posting).status)
        assert set(answers) == {200, 429}
        socket.transport.resume_reading()
        for _ in range(answers.count(200)):
            assert len(await socket.recv()) == 100_000


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/@connections/a%3D", "a="),
        ("/dev/%40connections/a%2Fb%3D", "a/b="),
        ("/@connections", None),
        ("/a/b/@connections/c", None),
        ("/dev", None),
    ],
)
def test_connection_id_is_found_in_the_path(path: str, expected: str | None) -> None:
    assert connection_id_in(path) == expected
