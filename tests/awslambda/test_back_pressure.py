"""A Runtime API that stops reading, and what the handler's process holds meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.awslambda.scripted_runtime_api import ReceivedRequest, Runtime, running, streamed

TOTAL_BYTES = 200 * 1024 * 1024
PIECE_BYTES = 64 * 1024
HELD_KB = 512  # "a few hundred KB" beyond what the kernel's socket buffers hold

WARM_UP_THEN_STREAM = streamed(
    "if event: response_stream.end(b'x' * event)",
    f"else:\n        for number in range({TOTAL_BYTES // PIECE_BYTES}):",
    f"        response_stream.write(bytes([number % 256]) * {PIECE_BYTES})",
)


def peak_kb(pid: int) -> int:
    """The most memory the process has held so far (proc(5): VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    match = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert match
    return int(match[1])


def read_stream(runtime: Runtime, request: ReceivedRequest) -> int:
    size = 0
    while chunk := runtime.api.read_chunk():
        assert chunk == bytes([chunk[0]]) * PIECE_BYTES
        size += len(chunk)
    assert runtime.api.read_trailers() == []
    assert request.header("transfer-encoding") == "chunked"
    return size


@pytest.mark.timeout(120)  # 200 MB through a reader that checks every byte
def test_handler_that_writes_200_mb_holds_next_to_nothing(tmp_path: Path) -> None:
    with running(tmp_path, WARM_UP_THEN_STREAM) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event(str(2 * PIECE_BYTES).encode())
        runtime.api.expect_answer()
        runtime.api.expect_next()
        before = peak_kb(runtime.process.pid)
        runtime.api.give_event(b"0")
        request = runtime.api.read_head()
        runtime.wait_until_it_sleeps()
        while_blocked = peak_kb(runtime.process.pid)
        assert read_stream(runtime, request) == TOTAL_BYTES
        runtime.api.reply(202)
        runtime.api.expect_next()
        assert while_blocked - before < HELD_KB
        assert peak_kb(runtime.process.pid) - before < HELD_KB


def test_large_write_is_not_copied(tmp_path: Path) -> None:
    size = 64 * 1024 * 1024
    source = streamed(f"data = bytes({size})", "response_stream.write(event and data or 'small')")
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event(b"0")
        runtime.api.expect_answer()
        runtime.api.expect_next()
        before = peak_kb(runtime.process.pid)
        runtime.api.give_event(b"1")
        assert len(runtime.api.expect_answer().body) == size
        runtime.api.expect_next()
        assert peak_kb(runtime.process.pid) - before < HELD_KB
