"""The Runtime API's listener, spoken to over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from local.errors import FunctionFailure
from local.invocation import AnswerHead, Invocation, InvocationIdentity
from local.limits import MAX_BUFFERED_RESPONSE_BYTES
from local.runtime_api.api import RuntimeApi
from tests.local.runtime_api.recording_receiver import RecordingReceiver
from tests.local.runtime_api.runtime_client import RuntimeClient

INVOCATION_ID = "lambda-runtime-invocation-id"


class RecordingListener:
    def __init__(self) -> None:
        self.waiting: asyncio.Queue[str] = asyncio.Queue()
        self.init_failure: FunctionFailure | None = None

    def runtime_waits(self) -> None:
        self.waiting.put_nowait("waits")

    def runtime_init_failed(self, failure: FunctionFailure) -> None:
        self.init_failure = failure

    def event_headers(self, invocation: Invocation) -> list[tuple[str, str]]:
        return [("Lambda-Runtime-Aws-Request-Id", invocation.identity.request_id)]


class Bench:
    """A Runtime API, a runtime connected to it, and one invocation to hand over."""

    def __init__(self, api: RuntimeApi, listener: RecordingListener, address: str) -> None:
        self.api = api
        self.listener = listener
        self.address = address
        self.runtimes: list[RuntimeClient] = []

    async def runtime(self) -> RuntimeClient:
        self.runtimes.append(await RuntimeClient.connect(self.address))
        return self.runtimes[-1]

    def invocation(self, receiver: RecordingReceiver, request_id: str = "id-1") -> Invocation:
        return Invocation(InvocationIdentity(request_id, "inv", "t"), b'{"a":1}', receiver)

    async def running(
        self, receiver: RecordingReceiver, request_id: str = "id-1"
    ) -> tuple[RuntimeClient, Invocation]:
        """Return a runtime that has just got its event."""
        runtime = await self.runtime()
        invocation = self.invocation(receiver, request_id)
        asked = asyncio.create_task(runtime.get_next())
        await self.listener.waiting.get()
        self.api.hand_over(invocation)
        assert (await asked).body == b'{"a":1}'
        return runtime, invocation


@pytest.fixture
async def it() -> AsyncIterator[Bench]:
    listener = RecordingListener()
    api = RuntimeApi(listener)
    bench = Bench(api, listener, await api.start())
    yield bench
    await api.close()
    for runtime in bench.runtimes:
        await runtime.close()


async def test_event_is_handed_to_a_runtime_that_waits(it: Bench) -> None:
    runtime = await it.runtime()
    asked = asyncio.create_task(runtime.get_next())
    await it.listener.waiting.get()
    it.api.hand_over(it.invocation(RecordingReceiver()))
    reply = await asked
    assert (reply.status, reply.body) == (200, b'{"a":1}')
    assert reply.headers["lambda-runtime-aws-request-id"] == "id-1"


async def test_event_without_a_waiting_runtime_is_an_error(it: Bench) -> None:
    with pytest.raises(RuntimeError, match="does not wait for an event"):
        it.api.hand_over(it.invocation(RecordingReceiver()))


async def test_buffered_answer_reaches_the_receiver_before_the_next_event(it: Bench) -> None:
    receiver = RecordingReceiver()
    runtime, invocation = await it.running(receiver)
    reply = await runtime.post("/invocation/id-1/response", b'"x"', content_type="application/json")
    assert (reply.status, reply.body) == (202, b'{"status":"OK"}\n')
    assert await invocation.outcome is None
    assert receiver.received == b'"x"'
    assert receiver.head == AnswerHead(streaming=False, content_type="application/json")
    assert it.listener.waiting.empty()


async def test_streamed_pieces_are_relayed_while_the_post_is_open(it: Bench) -> None:
    receiver = RecordingReceiver()
    runtime, invocation = await it.running(receiver)
    runtime.begin_stream("id-1", content_type="text/plain")
    for piece in (b"one", b"two"):
        runtime.chunk(piece)
        assert await receiver.pieces.get() == piece
        assert not invocation.outcome.done()
    runtime.end_stream()
    assert (await runtime.reply()).status == 202
    assert await invocation.outcome is None
    assert receiver.head == AnswerHead(streaming=True, content_type="text/plain")


async def test_error_trailers_are_told_after_the_bytes(it: Bench) -> None:
    receiver = RecordingReceiver()
    runtime, invocation = await it.running(receiver)
    runtime.begin_stream("id-1")
    runtime.chunk(b"half")
    runtime.end_stream({"errorType": "Boom", "errorMessage": "why"})
    assert (await runtime.reply()).status == 202
    assert await invocation.outcome == FunctionFailure("Boom", "why")
    assert receiver.received == b"half"


async def test_slow_receiver_holds_the_runtime_back(it: Bench) -> None:
    receiver = RecordingReceiver(held=True)
    runtime, invocation = await it.running(receiver)
    runtime.begin_stream("id-1")
    megabytes = 16
    for _ in range(megabytes):
        runtime.chunk(b"x" * 1024 * 1024)
    sending = asyncio.create_task(runtime.writer.drain())
    await asyncio.wait([sending], timeout=0.2)
    assert not sending.done()
    receiver.gate.set()
    await sending
    runtime.end_stream()
    await invocation.outcome
    assert len(receiver.received) == megabytes * 1024 * 1024


async def test_runtime_that_breaks_off_leaves_a_truncated_answer(it: Bench) -> None:
    receiver = RecordingReceiver()
    runtime, invocation = await it.running(receiver)
    runtime.begin_stream("id-1")
    runtime.chunk(b"half")
    await runtime.close()
    failure = await invocation.outcome
    assert failure is not None
    assert failure.error_type == "Runtime.TruncatedResponse"
    assert receiver.received == b"half"


async def test_runtime_that_breaks_off_inside_an_error_report_fails_the_call(it: Bench) -> None:
    runtime, invocation = await it.running(RecordingReceiver())
    runtime.send(
        b"POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1\r\nhost: h\r\n"
        b"content-length: 9\r\n\r\n"
    )
    await runtime.close()
    assert await invocation.outcome is not None


async def test_error_report_fails_the_call(it: Bench) -> None:
    runtime, invocation = await it.running(RecordingReceiver())
    body = b'{"errorType": "E", "errorMessage": "m"}'
    assert (await runtime.post("/invocation/id-1/error", body)).status == 202
    assert await invocation.outcome == FunctionFailure("E", "m")


async def test_init_error_is_told_to_the_listener(it: Bench) -> None:
    runtime = await it.runtime()
    reply = await runtime.post("/init/error", b'{"errorType": "E", "errorMessage": "m"}')
    assert reply.status == 202
    assert it.listener.init_failure == FunctionFailure("E", "m")
    assert (await runtime.get_next()).status == 403


async def test_asking_again_before_answering_gives_the_same_event(it: Bench) -> None:
    runtime, _ = await it.running(RecordingReceiver())
    assert (await runtime.get_next()).headers["lambda-runtime-aws-request-id"] == "id-1"


@pytest.mark.parametrize(
    ("path", "headers", "status", "error_type"),
    [
        ("/invocation/other/response", {}, 400, "InvalidRequestID"),
        ("/invocation/other/error", {}, 400, "InvalidRequestID"),
        (
            "/invocation/id-1/response",
            {"lambda_runtime_function_response_mode": "nonsense"},
            400,
            "InvalidFunctionResponseMode",
        ),
        ("/invocation/id-1/response", {"lambda_runtime_invocation_id": "x"}, 410, "InvokeTimeout"),
        ("/invocation/id-1/error", {"lambda_runtime_invocation_id": "x"}, 410, "InvokeTimeout"),
        ("/init/error", {}, 403, "InvalidStateTransition"),
        ("/restore/error", {}, 404, "NotFound"),
    ],
)
async def test_refused_call_leaves_the_invocation_running(
    it: Bench, path: str, headers: dict[str, str], status: int, error_type: str
) -> None:
    runtime, invocation = await it.running(RecordingReceiver())
    reply = await runtime.post(path, b"x" * 100_000, **headers)
    assert (reply.status, reply.json()["errorType"]) == (status, error_type)
    assert not invocation.outcome.done()
    answered = await runtime.post(
        "/invocation/id-1/response", b"1", lambda_runtime_invocation_id="inv"
    )
    assert answered.status == 202


@pytest.mark.parametrize("last", ["response", "error"])
async def test_second_answer_is_refused(it: Bench, last: str) -> None:
    runtime, _ = await it.running(RecordingReceiver())
    await runtime.post("/invocation/id-1/response")
    reply = await runtime.post(f"/invocation/id-1/{last}")
    assert (reply.status, reply.json()["errorType"]) == (403, "InvalidStateTransition")


async def test_error_report_while_the_answer_streams_is_refused(it: Bench) -> None:
    receiver = RecordingReceiver()
    runtime, invocation = await it.running(receiver)
    runtime.begin_stream("id-1")
    runtime.chunk(b"half")
    await receiver.pieces.get()
    other = await it.runtime()
    assert (await other.post("/invocation/id-1/error")).status == 403
    assert (await other.get_next()).status == 403
    runtime.end_stream()
    assert await invocation.outcome is None


async def test_answer_for_the_invocation_before_is_refused(it: Bench) -> None:
    runtime, _ = await it.running(RecordingReceiver())
    await runtime.post("/invocation/id-1/response")
    await it.running(RecordingReceiver(), "id-2")
    reply = await runtime.post("/invocation/id-1/response")
    assert (reply.status, reply.json()["errorType"]) == (400, "InvalidRequestID")


async def test_answer_of_the_largest_size_passes_and_a_larger_one_does_not(it: Bench) -> None:
    receiver = RecordingReceiver()
    runtime, invocation = await it.running(receiver)
    largest = b"x" * MAX_BUFFERED_RESPONSE_BYTES
    assert (await runtime.post("/invocation/id-1/response", largest)).status == 202
    assert await invocation.outcome is None
    runtime, invocation = await it.running(receiver, "id-2")
    reply = await runtime.post("/invocation/id-2/response", largest + b"x")
    assert (reply.status, reply.json()) == (
        413,
        {
            "errorMessage": "Exceeded maximum allowed payload size (6291556 bytes).",
            "errorType": "RequestEntityTooLarge",
        },
    )
    failure = await invocation.outcome
    assert failure is not None
    assert failure.error_type == "RequestEntityTooLarge"


async def test_dead_childs_last_bytes_are_waited_for(it: Bench) -> None:
    receiver = RecordingReceiver(held=True)
    runtime, invocation = await it.running(receiver)
    runtime.begin_stream("id-1")
    runtime.chunk(b"one")
    await receiver.pieces.get()
    runtime.chunk(b"two")
    await runtime.close()
    drained = asyncio.create_task(it.api.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    receiver.gate.set()
    await drained
    assert receiver.received == b"onetwo"
    assert invocation.outcome.done()


async def test_connection_that_a_dead_child_left_waiting_is_not_waited_for(it: Bench) -> None:
    runtime = await it.runtime()
    asked = asyncio.create_task(runtime.get_next())
    await it.listener.waiting.get()
    await it.api.drained()
    with pytest.raises(asyncio.IncompleteReadError):
        await asked
