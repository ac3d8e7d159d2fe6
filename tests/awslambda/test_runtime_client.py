"""The connection to the Runtime API: refusals, breaks, and what is echoed."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from awslambda import http1
from awslambda.runtime_api import Invocation
from awslambda.runtime_client import RuntimeClient
from awslambda.runtime_log import RuntimeLog
from tests.awslambda.scripted_runtime_api import running, streamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from typing_extensions import Buffer


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.parametrize("status", [400, 403, 410, 413])
def test_refused_answer_is_logged_and_the_next_event_is_served(tmp_path: Path, status: int) -> None:
    with running(tmp_path, streamed("response_stream.end('x')")) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_request()
        runtime.api.reply(status, b'{"errorType":"InvokeTimeout"}')
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert f"[WARNING] Runtime API: rejected the streamed response: {status}" in out
    assert "InvokeTimeout" in out


@pytest.mark.parametrize(
    "source", ["def handler(event, context): return 1", streamed("response_stream.end('x')")]
)
def test_status_500_ends_the_process(tmp_path: Path, source: str) -> None:
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_request()
        runtime.api.reply(500)
        code, out, _ = runtime.finish()
    assert code == 1
    assert "cannot continue" in out


def test_connection_lost_in_the_middle_of_a_stream_does_not_cost_the_next_event(
    tmp_path: Path,
) -> None:
    source = streamed("for _ in range(100_000): response_stream.write('x' * 1000)")
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_head()
        runtime.api.drop_connection()
        runtime.api.expect_next()
        assert runtime.api.connections_made == 2
        out, _ = runtime.end()
    assert "Runtime.ResponseStreamBroken" in out


def test_connection_closed_between_events_is_opened_anew(tmp_path: Path) -> None:
    with running(tmp_path, "def handler(event, context): return 1") as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_request()
        runtime.api.reply(202, headers={"Connection": "close"})
        runtime.api.drop_connection()
        runtime.api.expect_next()
        runtime.api.drop_connection()
        runtime.api.expect_next()
        assert runtime.api.connections_made == 3


@pytest.mark.parametrize(
    "source", ["def handler(event, context): return 1", streamed("response_stream.end('x')")]
)
def test_reply_that_is_lost_does_not_cost_the_next_event(tmp_path: Path, source: str) -> None:
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_request()
        runtime.api.drop_connection()
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert "[WARNING] Runtime API: no reply to the" in out


def test_invocation_id_is_echoed_when_there_is_one(tmp_path: Path) -> None:
    with running(tmp_path, streamed("response_stream.end('x')")) as runtime:
        for headers, echoed in (({"Lambda_Runtime_Invocation_Id": "i-1"}, "i-1"), ({}, None)):
            runtime.api.expect_next()
            runtime.api.give_event(b"{}", **headers)
            answer = runtime.api.expect_answer()
            assert answer.header("Lambda-Runtime-Invocation-Id") == echoed


@pytest.mark.parametrize(
    "done",
    ["socket.setdefaulttimeout(0.05)", "socket.socket = socket.create_connection = None"],
)
def test_what_the_function_does_to_socket_is_nothing_to_the_runtime(
    tmp_path: Path, done: str
) -> None:
    source = f"import socket\n{done}\ndef handler(event, context): return 1"
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.wait_until_it_sleeps()
        runtime.api.give_event()
        assert runtime.api.expect_answer().body == b"1"
        assert runtime.api.connections_made == 1


def test_write_that_signals_interrupt_arrives_whole(tmp_path: Path) -> None:
    size = 16 * 1024 * 1024
    source = "import signal\n" + streamed(
        "signal.signal(signal.SIGALRM, lambda *_: None)",
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)",
        f"data = bytes(range(256)) * {size // 256}",
        "for start in (0, 1): response_stream.write(memoryview(data)[start:])",
        "signal.setitimer(signal.ITIMER_REAL, 0)",
    )
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        answer = runtime.api.expect_answer()
    data = bytes(range(256)) * (size // 256)
    assert [len(chunk) for chunk in answer.chunks] == [size, size - 1]
    assert answer.chunks == [data, data[1:]]


class CountingSocket(socket.socket):
    """Counts the calls that reach the kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[int] = []

    def sendmsg(self, pieces: Iterable[Buffer], *_: object) -> int:
        sent = super().sendmsg(pieces)
        self.sent.append(sent)
        return sent


def test_a_write_is_one_system_call(listener: socket.socket) -> None:
    connection = CountingSocket()

    def connect(address: tuple[str, int]) -> socket.socket:
        connection.connect(address)
        return connection

    host, port = listener.getsockname()
    client = RuntimeClient(f"{host}:{port}", RuntimeLog({}), connect)
    client.open_stream(Invocation("r", b"", {}), "text/plain", http1.chunk(b"first"))
    for piece in (b"x", memoryview(b"y" * 8192)):
        client.send(http1.chunk(piece))
    client.close()
    assert connection.sent[1:] == [len(b"1\r\nx\r\n"), len(b"2000\r\n") + 8192 + len(b"\r\n")]
