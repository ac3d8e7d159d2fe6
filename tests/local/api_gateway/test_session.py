"""What ends a connection, over real sockets; time passes when a test says so."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from local.errors import FunctionFailure
from local.invocation import AnswerReceiver
from local.limits import (
    CONNECTION_LIFETIME_S,
    IDLE_TIMEOUT_S,
    INTEGRATION_TIMEOUT_S,
    KIB,
    MAX_FRAME_BYTES,
    MAX_MESSAGE_BYTES,
)
from tests.local.api_gateway.websocket_bench import OK, UPGRADE, Bench, closed_with, reset, serving

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

FULL = "x" * MAX_FRAME_BYTES


def test_limits_are_those_that_aws_names() -> None:
    assert (MAX_FRAME_BYTES, MAX_MESSAGE_BYTES) == (32 * KIB, 128 * KIB)
    assert (IDLE_TIMEOUT_S, CONNECTION_LIFETIME_S, INTEGRATION_TIMEOUT_S) == (600, 7200, 29)


async def disconnect_code(it: Bench) -> int:
    return int((await it.event("$disconnect"))["requestContext"]["disconnectStatusCode"])


async def test_frame_of_the_largest_size_passes_and_a_larger_one_closes() -> None:
    async with serving() as it, it.connect() as client:
        await client.send(FULL)
        assert (await it.event("$default"))["body"] == FULL
        await client.send(FULL + "x")
        assert await closed_with(client) == 1009
        assert await disconnect_code(it) == 1009
        assert it.invokers["$default"].events.empty()


async def test_message_of_the_largest_size_passes_in_frames_and_a_larger_one_closes() -> None:
    async with serving() as it, it.connect() as client:
        await client.send([FULL] * 4)
        assert (await it.event("$default"))["body"] == "x" * MAX_MESSAGE_BYTES
        await client.send([*[FULL] * 4, "x"])
        assert await closed_with(client) == 1009
        assert await disconnect_code(it) == 1009


@pytest.mark.parametrize("size", [MAX_MESSAGE_BYTES + 1, 16 * 1024 * KIB])
async def test_client_learns_why_while_it_still_sends(size: int) -> None:
    async with serving() as it, it.connect() as client:
        await client.send("x" * size)
        assert await closed_with(client) == 1009
        assert client.close_reason == ""


async def test_messages_before_the_frame_too_long_are_taken() -> None:
    async with serving() as it, it.connect() as client:
        good = Frame(Opcode.TEXT, b"good").serialize(mask=True)
        client.transport.write(good * 3 + Frame(Opcode.TEXT, b"x" * 40_000).serialize(mask=True))
        assert await closed_with(client) == 1009
        assert [(await it.event("$default"))["body"] for _ in range(3)] == ["good"] * 3
        assert await disconnect_code(it) == 1009


async def upgraded(it: Bench) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection of bare bytes, its handshake done."""
    reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
    writer.write(UPGRADE)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


@pytest.mark.parametrize("fin", [True, False])
async def test_header_alone_of_a_frame_too_long_closes(fin: bool) -> None:  # noqa: FBT001
    async with serving() as it:
        reader, writer = await upgraded(it)
        first = b"\x81" if fin else b"\x01"
        writer.write(first + b"\xff" + struct.pack(">Q", 2**63) + b"mask")
        assert await reader.readexactly(4) == b"\x88\x02" + struct.pack(">H", 1009)
        # Inside the frame this is no answer to the close frame; the end of the bytes is.
        writer.write_eof()
        assert await reader.read() == b""
        assert await disconnect_code(it) == 1009
        writer.close()


async def test_control_frames_between_fragments_are_answered() -> None:
    async with serving() as it:
        reader, writer = await upgraded(it)
        part = b"x" * MAX_FRAME_BYTES
        for frame in (
            Frame(Opcode.TEXT, part, fin=False),
            Frame(Opcode.PING, b"are you there"),
            Frame(Opcode.CONT, part, fin=True),
        ):
            writer.write(frame.serialize(mask=True))
        assert await reader.readexactly(15) == b"\x8a\x0dare you there"
        assert (await it.event("$default"))["body"] == "x" * 2 * MAX_FRAME_BYTES
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"x", b"x" * MAX_FRAME_BYTES])
async def test_binary_message_closes(sent: bytes) -> None:
    async with serving() as it, it.connect() as client:
        await client.send(sent)
        assert await closed_with(client) == 1003
        assert await disconnect_code(it) == 1003
        assert it.invokers["$default"].events.empty()


async def test_text_that_is_not_utf8_closes() -> None:
    async with serving() as it, it.connect() as client:
        client.transport.write(Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True))
        assert await closed_with(client) == 1007
        assert await disconnect_code(it) == 1007
        assert it.invokers["$default"].events.empty()


async def test_character_may_be_cut_between_two_frames() -> None:
    async with serving() as it, it.connect() as client:
        for frame in (Frame(Opcode.TEXT, b"\xc3", fin=False), Frame(Opcode.CONT, b"\xa4")):
            client.transport.write(frame.serialize(mask=True))
        assert (await it.event("$default"))["body"] == "ä"


async def passes(it: Bench, client: ClientConnection, text: str) -> None:
    await client.send(text)
    assert (await it.event("$default"))["body"] == text
    await it.clock.disarmed(INTEGRATION_TIMEOUT_S)


async def test_connection_without_a_message_for_ten_minutes_is_closed() -> None:
    async with serving() as it, it.connect() as client:
        await it.clock.armed(IDLE_TIMEOUT_S)
        it.clock.advance(IDLE_TIMEOUT_S)
        assert await closed_with(client) == 1001
        assert await disconnect_code(it) == 1001


async def test_connection_that_is_closed_waits_for_what_the_client_still_sends() -> None:
    async with serving() as it:
        reader, writer = await upgraded(it)
        connection_id = await it.opened()
        await it.clock.armed(IDLE_TIMEOUT_S)
        it.clock.advance(IDLE_TIMEOUT_S)
        assert await reader.readexactly(4) == b"\x88\x02" + struct.pack(">H", 1001)
        assert (await it.call("GET", connection_id)).status == 410
        assert it.invokers["$disconnect"].events.empty()
        for _ in range(30):
            writer.write(Frame(Opcode.TEXT, FULL.encode()).serialize(mask=True))
        writer.write(Frame(Opcode.CLOSE, struct.pack(">H", 1001)).serialize(mask=True))
        assert await reader.read() == b""
        assert await disconnect_code(it) == 1001
        assert it.invokers["$default"].events.empty()
        writer.close()


async def test_message_either_way_begins_the_ten_minutes_anew() -> None:
    async with serving() as it, it.connect() as client:
        connection_id = await it.opened()
        await it.clock.armed(IDLE_TIMEOUT_S)
        it.clock.advance(IDLE_TIMEOUT_S - 1)
        await passes(it, client, "from the client")
        it.clock.advance(IDLE_TIMEOUT_S - 1)
        assert (await it.call("POST", connection_id, b"to the client")).status == 200
        assert await client.recv() == "to the client"
        it.clock.advance(IDLE_TIMEOUT_S - 1)
        await passes(it, client, "still open")
        it.clock.advance(IDLE_TIMEOUT_S)
        assert await closed_with(client) == 1001


async def test_busy_connection_is_closed_after_two_hours() -> None:
    async with serving() as it, it.connect() as client:
        left = CONNECTION_LIFETIME_S
        while left > IDLE_TIMEOUT_S / 2:
            it.clock.advance(IDLE_TIMEOUT_S / 2)
            left -= IDLE_TIMEOUT_S / 2
            await passes(it, client, "busy")
        it.clock.advance(left - 1)
        await passes(it, client, "one second before")
        it.clock.advance(1)
        assert await closed_with(client) == 1001
        assert await disconnect_code(it) == 1001


async def test_integration_that_answers_in_its_last_second_is_told_nothing() -> None:
    go_on = asyncio.Event()

    async def script(event: object, receiver: AnswerReceiver) -> FunctionFailure | None:
        await go_on.wait()
        return await OK(event, receiver)

    async with serving(on_default=script) as it, it.connect() as client:
        connection_id = await it.opened()
        await client.send("x")
        await it.event("$default")
        it.clock.advance(INTEGRATION_TIMEOUT_S - 1)
        go_on.set()
        await it.clock.disarmed(INTEGRATION_TIMEOUT_S)
        it.clock.advance(2)
        await it.call("POST", connection_id, b"the next frame")
        assert await client.recv() == "the next frame"


async def test_post_to_a_client_that_was_reset_is_gone_at_once() -> None:
    async with serving() as it:
        client = await it.connect()
        connection_id = await it.opened()
        assert (await it.call("POST", connection_id, b"before")).status == 200
        reset(client)
        assert await disconnect_code(it) == 1006
        assert (await it.call("POST", connection_id, b"after")).status == 410
        with pytest.raises(ConnectionClosed):
            await client.send("x")
