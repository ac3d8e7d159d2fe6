"""A runtime's connection, step by step, over a transport that records."""

from __future__ import annotations

import asyncio

import pytest

from local.errors import FunctionFailure
from local.invocation import AnswerHead, Invocation, InvocationIdentity
from local.runtime_api.calls import Replier, Reply, RuntimeCall, StreamedCall
from local.runtime_api.connection import RuntimeConnection
from local.runtime_api.http_requests import RequestHead
from tests.local.runtime_api.recording_receiver import RecordingReceiver

NEXT = b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
STREAM = b"POST /response HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


class RecordingTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False
        self.pauses = 0
        self.resumed = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.pauses += 1

    def resume_reading(self) -> None:
        self.resumed.set()


class Bench:
    """A connection whose GETs wait for an event and whose POSTs stream an answer."""

    def __init__(self) -> None:
        self.receiver = RecordingReceiver()
        self.invocation = Invocation(InvocationIdentity("id", "inv", "t"), b"{}", self.receiver)
        self.waiting: list[Replier] = []
        self.lost = False
        self.transport = RecordingTransport()
        self.connection = RuntimeConnection(self._open, lambda _: None, self._lost)
        self.connection.connection_made(self.transport)

    def _open(self, head: RequestHead, _connection: RuntimeConnection) -> RuntimeCall:
        if head.method == "GET":
            return RuntimeCall(self.waiting.append)
        return StreamedCall(head.headers, self.invocation.settle, self.receiver)

    def _lost(self, _connection: RuntimeConnection) -> None:
        self.lost = True


@pytest.fixture
async def it() -> Bench:
    return Bench()


async def test_piece_is_passed_on_in_the_step_that_reads_it(it: Bench) -> None:
    tasks = asyncio.all_tasks()
    it.connection.data_received(STREAM)
    assert it.receiver.head == AnswerHead(streaming=True, content_type="")
    it.connection.data_received(b"3\r\none\r\n")
    assert it.receiver.received == b"one"
    it.connection.data_received(b"0\r\n\r\n")
    assert it.invocation.outcome.result() is None
    assert asyncio.all_tasks() == tasks


async def test_event_and_reply_are_one_write_each(it: Bench) -> None:
    it.connection.data_received(NEXT)
    assert it.transport.written == []
    it.waiting[0](Reply(200, b"{}", [("a", "b")]))
    it.connection.data_received(STREAM + b"0\r\n\r\n")
    event, reply = it.transport.written
    assert event == b"HTTP/1.1 200 \r\na: b\r\ncontent-length: 2\r\n\r\n{}"
    assert reply.endswith(b'{"status":"OK"}\n')


async def test_early_request_is_answered_in_its_turn(it: Bench) -> None:
    it.connection.data_received(NEXT + STREAM + b"3\r\none\r\n0\r\n\r\n")
    assert it.receiver.head is None
    it.waiting[0](Reply(200, b"{}"))
    await it.invocation.outcome
    assert it.receiver.received == b"one"
    assert len(it.transport.written) == 2


async def test_full_receiver_pauses_reading_until_it_is_drained(it: Bench) -> None:
    it.receiver.gate.clear()
    it.connection.data_received(STREAM + b"3\r\none\r\n")
    it.connection.data_received(b"3\r\ntwo\r\n")
    assert it.transport.pauses == 1
    await asyncio.sleep(0)
    assert not it.transport.resumed.is_set()
    it.receiver.gate.set()
    await it.transport.resumed.wait()
    it.connection.data_received(b"5\r\nthree\r\n")
    assert it.transport.pauses == 1
    it.receiver.gate.clear()
    it.connection.data_received(b"4\r\nfour\r\n")
    assert it.transport.pauses == 2
    assert it.receiver.received == b"onetwothreefour"


async def test_connection_lost_with_a_full_receiver_truncates_the_answer(it: Bench) -> None:
    it.receiver.gate.clear()
    tasks = asyncio.all_tasks()
    it.connection.data_received(STREAM + b"3\r\none\r\n")
    it.connection.connection_lost(None)
    await asyncio.wait(asyncio.all_tasks() - tasks)
    assert isinstance(it.invocation.outcome.result(), FunctionFailure)
    assert it.lost


async def test_malformed_request_closes_the_connection(it: Bench) -> None:
    it.connection.data_received(STREAM)
    it.connection.data_received(b"nonsense\r\n")
    assert it.transport.closed
    it.connection.connection_lost(None)
    failure = it.invocation.outcome.result()
    assert failure is not None
    assert failure.error_type == "Runtime.TruncatedResponse"


async def test_connection_closes_when_the_runtime_requests_it(it: Bench) -> None:
    it.connection.data_received(NEXT.replace(b"Host", b"Connection: close\r\nHost"))
    it.waiting[0](Reply(200, b"{}"))
    assert b"connection: close" in it.transport.written[0]
    assert it.transport.closed


async def test_connection_closes_when_no_event_will_come(it: Bench) -> None:
    it.connection.data_received(NEXT)
    it.waiting[0](None)
    assert (it.transport.written, it.transport.closed) == ([], True)
