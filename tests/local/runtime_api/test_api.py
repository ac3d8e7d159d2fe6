"""The Runtime API over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from local.errors import FunctionFailure
from local.invocation import AnswerHead, Invocation, InvocationIdentity
from local.limits import MAX_BUFFERED_RESPONSE_BYTES
from local.runtime_api.api import RuntimeApi
from tests.local.http.raw_client import Answer
from tests.local.runtime_api.recording_receiver import RecordingReceiver
from tests.local.runtime_api.runtime_client import ROOT, RuntimeClient


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
    """A Runtime API, runtimes that connect to it, and the receiver of their answers."""

    def __init__(self, api: RuntimeApi, listener: RecordingListener, address: str) -> None:
        self.api = api
        self.listener = listener
        self.port = int(address.partition(":")[2])
        self.receiver = RecordingReceiver()
        self.runtimes: list[RuntimeClient] = []

    async def runtime(self) -> RuntimeClient:
        self.runtimes.append(await RuntimeClient.connect(self.port))
        return self.runtimes[-1]

    async def waiting(
        self, runtime: RuntimeClient | None = None
    ) -> tuple[RuntimeClient, asyncio.Task[Answer]]:
        """Return a runtime that waits for an event, and its request."""
        runtime = runtime or await self.runtime()
        request = asyncio.create_task(runtime.get_next())
        await self.listener.waiting.get()
        return runtime, request

    def invocation(self, request_id: str = "id-1") -> Invocation:
        return Invocation(InvocationIdentity(request_id, "inv", "t"), b'{"a":1}', self.receiver)

    async def running(
        self, request_id: str = "id-1", runtime: RuntimeClient | None = None
    ) -> tuple[RuntimeClient, Invocation]:
        """Return a runtime that has just received its event."""
        runtime, request = await self.waiting(runtime)
        invocation = self.invocation(request_id)
        self.api.hand_over(invocation)
        reply = await request
        assert (reply.status, reply.body) == (200, b'{"a":1}')
        assert reply.header("lambda-runtime-aws-request-id") == request_id
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


async def test_event_without_a_waiting_runtime_is_an_error(it: Bench) -> None:
    with pytest.raises(RuntimeError, match="does not wait for an event"):
        it.api.hand_over(it.invocation())


async def test_buffered_answer_reaches_the_receiver_before_the_next_event(it: Bench) -> None:
    runtime, invocation = await it.running()
    reply = await runtime.post("/invocation/id-1/response", b'"x"', content_type="application/json")
    assert (reply.status, reply.body) == (202, b'{"status":"OK"}\n')
    assert await invocation.outcome is None
    assert it.receiver.received == b'"x"'
    assert it.receiver.head == AnswerHead(streaming=False, content_type="application/json")
    assert it.listener.waiting.empty()


async def test_streamed_pieces_are_relayed_while_the_post_is_open(it: Bench) -> None:
    runtime, invocation = await it.running()
    runtime.begin_stream("id-1", content_type="text/plain")
    for piece in (b"one", b"two"):
        runtime.send_chunk(piece)
        assert await it.receiver.pieces.get() == piece
        assert not invocation.outcome.done()
    runtime.end_stream()
    assert (await runtime.answer()).status == 202
    assert await invocation.outcome is None
    assert it.receiver.head == AnswerHead(streaming=True, content_type="text/plain")


async def test_error_trailers_fail_the_invocation_after_its_bytes(it: Bench) -> None:
    runtime, invocation = await it.running()
    runtime.begin_stream("id-1")
    runtime.send_chunk(b"half")
    runtime.end_stream({"errorType": "Boom", "errorMessage": "why"})
    assert (await runtime.answer()).status == 202
    assert await invocation.outcome == FunctionFailure("Boom", "why")
    assert it.receiver.received == b"half"


async def test_runtime_that_disconnects_leaves_a_truncated_answer(it: Bench) -> None:
    runtime, invocation = await it.running()
    runtime.begin_stream("id-1")
    runtime.send_chunk(b"half")
    await runtime.close()
    failure = await invocation.outcome
    assert failure is not None
    assert failure.error_type == "Runtime.TruncatedResponse"
    assert it.receiver.received == b"half"


async def test_runtime_that_disconnects_inside_an_error_fails_the_invocation(it: Bench) -> None:
    runtime, invocation = await it.running()
    runtime.send("POST", f"{ROOT}/invocation/id-1/error", content_length="9")
    await runtime.close()
    assert await invocation.outcome is not None


async def test_posted_error_fails_the_invocation(it: Bench) -> None:
    runtime, invocation = await it.running()
    body = b'{"errorType": "E", "errorMessage": "m"}'
    assert (await runtime.post("/invocation/id-1/error", body)).status == 202
    assert await invocation.outcome == FunctionFailure("E", "m")


async def test_listener_learns_of_an_init_error(it: Bench) -> None:
    runtime = await it.runtime()
    reply = await runtime.post("/init/error", b'{"errorType": "E", "errorMessage": "m"}')
    assert reply.status == 202
    assert it.listener.init_failure == FunctionFailure("E", "m")
    assert (await runtime.get_next()).status == 403


async def test_next_before_the_answer_gives_the_same_event(it: Bench) -> None:
    runtime, _ = await it.running()
    assert (await runtime.get_next()).header("lambda-runtime-aws-request-id") == "id-1"


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
async def test_rejected_call_leaves_the_invocation_running(
    it: Bench, path: str, headers: dict[str, str], status: int, error_type: str
) -> None:
    runtime, invocation = await it.running()
    reply = await runtime.post(path, b"x" * 100_000, **headers)
    assert (reply.status, reply.json()["errorType"]) == (status, error_type)
    assert not invocation.outcome.done()
    path = "/invocation/id-1/response"
    assert (await runtime.post(path, b"1", lambda_runtime_invocation_id="inv")).status == 202


@pytest.mark.parametrize("last", ["response", "error"])
async def test_second_answer_is_rejected(it: Bench, last: str) -> None:
    runtime, _ = await it.running()
    await runtime.post("/invocation/id-1/response")
    reply = await runtime.post(f"/invocation/id-1/{last}")
    assert (reply.status, reply.json()["errorType"]) == (403, "InvalidStateTransition")


async def test_error_while_the_answer_streams_is_rejected(it: Bench) -> None:
    runtime, invocation = await it.running()
    runtime.begin_stream("id-1")
    runtime.send_chunk(b"half")
    await it.receiver.pieces.get()
    other = await it.runtime()
    assert (await other.post("/invocation/id-1/error")).status == 403
    assert (await other.get_next()).status == 403
    runtime.end_stream()
    assert await invocation.outcome is None


async def test_answer_of_the_previous_invocation_is_rejected(it: Bench) -> None:
    runtime, _ = await it.running()
    await runtime.post("/invocation/id-1/response")
    await it.running("id-2", runtime)
    reply = await runtime.post("/invocation/id-1/response")
    assert (reply.status, reply.json()["errorType"]) == (400, "InvalidRequestID")


async def test_buffered_answer_passes_up_to_the_maximum_size(it: Bench) -> None:
    runtime, invocation = await it.running()
    largest = b"x" * MAX_BUFFERED_RESPONSE_BYTES
    assert (await runtime.post("/invocation/id-1/response", largest)).status == 202
    assert await invocation.outcome is None
    _, invocation = await it.running("id-2", runtime)
    reply = await runtime.post("/invocation/id-2/response", largest + b"x")
    failure = FunctionFailure(
        "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes)."
    )
    error = {"errorMessage": failure.error_message, "errorType": failure.error_type}
    assert (reply.status, reply.json()) == (413, error)
    assert await invocation.outcome == failure


async def test_last_bytes_of_a_dead_process_are_read(it: Bench) -> None:
    it.receiver.gate.clear()
    runtime, invocation = await it.running()
    runtime.begin_stream("id-1")
    runtime.send_chunk(b"one")
    await it.receiver.pieces.get()
    runtime.send_chunk(b"two")
    await runtime.close()
    drained = asyncio.create_task(it.api.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    it.receiver.gate.set()
    await drained
    assert it.receiver.received == b"onetwo"
    assert invocation.outcome.done()


async def test_connection_that_waits_for_an_event_does_not_delay_the_end(it: Bench) -> None:
    _, request = await it.waiting()
    await it.api.drained()
    with pytest.raises(asyncio.IncompleteReadError):
        await request


async def test_other_program_of_the_machine_gets_no_event(it: Bench) -> None:
    runtime, request = await it.waiting()
    other = await it.runtime()
    assert (await other.get_next()).status == 403  # while it waits
    it.api.hand_over(it.invocation())
    await request
    assert (await other.get_next()).status == 403  # while the event runs
    assert (await runtime.post("/invocation/id-1/response")).status == 202
    assert (await other.get_next()).status == 403  # after the answer
    await it.running("id-2", runtime)


async def test_runtime_may_use_other_connections(it: Bench) -> None:
    first, _ = await it.running()
    second = await it.runtime()
    assert (await second.post("/invocation/id-1/response")).status == 202
    await it.running("id-2", second)  # it knew the event's id
    await second.post("/invocation/id-2/response")
    await first.close()
    await second.close()
    await it.running("id-3")


async def test_runtime_that_loses_its_connection_gets_the_event_when_it_is_back(it: Bench) -> None:
    runtime, request = await it.waiting()
    await runtime.close()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await request
    other = await it.runtime()
    # The API has read the end of the first connection by the time it answers the second one.
    assert (await other.post("/restore/error")).status == 404
    it.api.hand_over(it.invocation())
    assert (await other.get_next()).header("lambda-runtime-aws-request-id") == "id-1"
    assert (await other.post("/invocation/id-1/response")).status == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "attacker.example"},
        {"host": "127.0.0.1"},
        {"origin": "http://localhost:5173"},
        {"sec_fetch_site": "same-origin"},
    ],
)
async def test_page_in_a_browser_gets_no_event_and_reports_no_error(
    it: Bench, headers: dict[str, str]
) -> None:
    page = await it.runtime()
    for method, path in (("GET", "/invocation/next"), ("POST", "/init/error")):
        answer = await page.ask(method, f"{ROOT}{path}", b"", **headers)
        assert answer.status == 403
    assert it.listener.init_failure is None
    await it.running()
