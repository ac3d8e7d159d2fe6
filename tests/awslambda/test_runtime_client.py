"""The connection to the Runtime API: rejected answers, lost connections, echoed headers."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from awslambda import http1
from awslambda.output import LogLines
from awslambda.runtime_api import Invocation
from awslambda.runtime_client import MAX_REPEATS, NEXT_RETRIES, RuntimeClient
from awslambda.runtime_log import RuntimeLog
from tests.awslambda.scripted_runtime_api import Runtime, running, source_event, streamed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from typing_extensions import Buffer


ORDINARY = "def handler(event, context): return 1"
STREAMED = streamed("response_stream.end('x')")


def test_rejected_answer_is_logged_and_the_next_event_is_served(streaming: Runtime) -> None:
    for status in (400, 403, 410, 413):
        streaming.api.give_event(source_event(STREAMED))
        streaming.api.read_request()
        streaming.api.reply(status, b'{"errorType":"InvokeTimeout"}')
        warning = f"[WARNING] Runtime API: rejected the streamed response: {status} "
        assert f'{warning}{{"errorType":"InvokeTimeout"}}' in streaming.new_output()


@pytest.mark.parametrize("source", [ORDINARY, STREAMED])
def test_status_500_ends_the_process(tmp_path: Path, source: str) -> None:
    with running(tmp_path, source) as runtime:
        runtime.api.give_event()
        runtime.api.expect_answer(status=500)
        code, out, _ = runtime.finish()
    assert code == 1
    assert "cannot continue" in out


def test_reply_without_an_event_ends_the_process(tmp_path: Path) -> None:
    with running(tmp_path, ORDINARY) as runtime:
        runtime.api.expect_next()
        runtime.api.reply(503)
        code, out, _ = runtime.finish()
    assert code == 1
    assert "expected status 200 and a request id, got status 503 and no request id" in out


@pytest.mark.parametrize("status", [None, 413])
def test_connection_lost_during_a_stream_does_not_cost_the_next_event(
    streaming: Runtime, status: int | None
) -> None:
    source = streamed("for _ in range(100_000): response_stream.write('x' * 1000)")
    streaming.api.give_event(source_event(source))
    connections = streaming.api.connections_made
    streaming.api.read_head()
    if status is not None:
        streaming.api.reply(status)
    streaming.api.drop_connection()
    assert "Runtime.ResponseStreamBroken" in streaming.new_output()
    assert streaming.api.connections_made == connections + 1


def test_connection_closed_between_events_is_replaced(ordinary: Runtime) -> None:
    ordinary.api.give_event(source_event(ORDINARY))
    connections = ordinary.api.connections_made
    ordinary.api.read_request()
    ordinary.api.reply(202, headers={"Connection": "close"})
    for _ in range(1 + NEXT_RETRIES):
        ordinary.api.drop_connection()
        ordinary.api.expect_next()
    assert ordinary.api.connections_made == connections + 1 + NEXT_RETRIES


def serve_and_lose(runtime: Runtime, source: str, event: int, answers: int = 1) -> None:
    """Give an event, and close the connection while the runtime waits for the reply."""
    runtime.api.give_event(source_event(source, event), Lambda_Runtime_Invocation_Id="i-1")
    for _ in range(answers):
        runtime.api.read_request()
        runtime.api.drop_connection()


def test_answer_without_a_reply_is_sent_once_more(ordinary: Runtime) -> None:
    for source, leaf in ((ORDINARY, "response"), ("def handler(e, c): 1 / 0", "error")):
        serve_and_lose(ordinary, source, 1)
        assert ordinary.api.expect_answer(leaf).header("Lambda-Runtime-Invocation-Id") == "i-1"
        ordinary.api.expect_next()


@pytest.mark.parametrize(
    ("source", "answers", "leaf", "body"),
    [
        ("def handler(e, c): print('served'); return e", 2, "response", b"2"),
        (STREAMED.replace("'x'", "print('served')"), 1, "error", b"ResponseStreamBroken"),
    ],
)
def test_event_whose_answer_is_lost_is_not_served_again(
    ordinary: Runtime, streaming: Runtime, source: str, answers: int, leaf: str, body: bytes
) -> None:
    runtime = ordinary if answers == 2 else streaming
    runtime.new_output()
    serve_and_lose(runtime, source, 2, answers)
    event = source_event(source, 2)
    again = runtime.api.answer_to(event, leaf, Lambda_Runtime_Invocation_Id="i-1")
    assert body in again.body
    out = runtime.new_output()
    assert out.count("served") == 1
    assert "[WARNING] Runtime API: no reply to the" in out
    assert "came again" in out
    retried = runtime.api.answer_to(event, Lambda_Runtime_Invocation_Id="i-2")  # by Lambda
    assert retried.target.endswith("/response")


def test_runtime_api_that_takes_no_answer_ends_the_process(tmp_path: Path) -> None:
    with running(tmp_path, ORDINARY) as runtime:
        for _ in range(1 + MAX_REPEATS):
            runtime.api.give_event()
            for _ in range(2):
                runtime.api.read_request()
                runtime.api.drop_connection()
        code, out, _ = runtime.finish()
    assert code == 1
    assert "takes no answer" in out


def test_invocation_id_is_echoed_if_there_is_one(streaming: Runtime) -> None:
    with_id = streaming.serve(STREAMED, Lambda_Runtime_Invocation_Id="i-1")
    without = streaming.serve(STREAMED)
    echoed = [answer.header("Lambda-Runtime-Invocation-Id") for answer in (with_id, without)]
    assert echoed == ["i-1", None]


def test_request_id_with_special_characters_is_encoded(tmp_path: Path) -> None:
    with running(tmp_path, ORDINARY) as runtime:
        runtime.api.give_event(Lambda_Runtime_Aws_Request_Id="a b/c")
        assert "/invocation/a%20b%2Fc/response" in runtime.api.read_request().target


@pytest.mark.parametrize(
    "change",
    ["socket.setdefaulttimeout(0.05)", "socket.socket = socket.create_connection = None"],
)
def test_functions_changes_to_socket_do_not_reach_the_runtime(tmp_path: Path, change: str) -> None:
    source = f"import socket\n{change}\n{ORDINARY}"
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.wait_until_it_sleeps()
        assert runtime.api.answer_to().body == b"1"
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
        answer = runtime.api.answer_to()
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


def test_a_write_is_one_system_call() -> None:
    connection = CountingSocket()

    def connect(address: tuple[str, int]) -> socket.socket:
        connection.connect(address)
        return connection

    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        client = RuntimeClient(f"{host}:{port}", RuntimeLog({}, LogLines(sys.stdout)), connect)
        client.open_stream(Invocation("r", b"", {}), "text/plain", http1.chunk(b"first"))
        for piece in (b"x", memoryview(b"y" * 8192)):
            client.send(http1.chunk(piece))
        client.close()
    assert connection.sent[1:] == [len(b"1\r\nx\r\n"), len(b"2000\r\n") + 8192 + len(b"\r\n")]
