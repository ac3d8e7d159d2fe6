"""What ends a connection, over real sockets, by a clock that the tests move."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from local.limits import (
    CONNECTION_LIFETIME_S,
    IDLE_TIMEOUT_S,
    INTEGRATION_TIMEOUT_S,
    KIB,
    MAX_FRAME_BYTES,
    MAX_MESSAGE_BYTES,
    MIB,
)
from tests.local.api_gateway.websocket_bench import UPGRADE, Bench, closed_with, reset, serving

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

FULL = "x" * MAX_FRAME_BYTES


def test_limits_are_awss() -> None:
    assert (MAX_FRAME_BYTES, MAX_MESSAGE_BYTES) == (32 * KIB, 128 * KIB)
    assert (IDLE_TIMEOUT_S, CONNECTION_LIFETIME_S, INTEGRATION_TIMEOUT_S) == (600, 7200, 29)


async def disconnect_code(it: Bench) -> int:
    return int((await it.event("$disconnect"))["requestContext"]["disconnectStatusCode"])


@pytest.mark.parametrize(
    ("accepted", "rejected"),
    [(FULL, FULL + "x"), ([FULL] * 4, [*[FULL] * 4, "x"]), ("x", "x" * 16 * MIB)],
    ids=["frame", "message of several frames", "message that the client still sends"],
)
async def test_message_passes_up_to_the_maximum_size(
    accepted: str | list[str], rejected: str | list[str]
) -> None:
    async with serving() as it, it.connect() as client:
        await client.send(accepted)
        assert (await it.event("$default"))["body"] == "".join(accepted)
        await client.send(rejected)
        assert await closed_with(client) == 1009
        assert client.close_reason == ""
        assert await disconnect_code(it) == 1009
        assert it.invokers["$default"].events.empty()


async def test_messages_before_a_frame_too_long_are_delivered() -> None:
    async with serving() as it, it.connect() as client:
        good = Frame(Opcode.TEXT, b"good").serialize(mask=True)
        client.transport.write(good * 3 + Frame(Opcode.TEXT, b"x" * 40_000).serialize(mask=True))
        assert await closed_with(client) == 1009
        assert [(await it.event("$default"))["body"] for _ in range(3)] == ["good"] * 3


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
        # Bytes inside the frame cannot answer the close frame; the end of the connection does.
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


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.BINARY, b""), 1003),
        (Frame(Opcode.BINARY, b"x" * MAX_FRAME_BYTES), 1003),
        (Frame(Opcode.TEXT, b"\xff\xfe"), 1007),
    ],
    ids=["empty", "binary", "invalid UTF-8"],
)
async def test_message_other_than_text_closes(frame: Frame, code: int) -> None:
    async with serving() as it, it.connect() as client:
        client.transport.write(frame.serialize(mask=True))
        assert await closed_with(client) == code
        assert await disconnect_code(it) == code
        assert it.invokers["$default"].events.empty()


async def test_character_may_be_split_between_two_frames() -> None:
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


async def test_close_waits_until_the_client_has_sent_everything() -> None:
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


async def test_message_in_either_direction_restarts_the_ten_minutes() -> None:
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
