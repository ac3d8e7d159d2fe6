"""A Runtime API that stops reading, and the memory of the handler's process meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

from tests.awslambda.scripted_runtime_api import Runtime, running, source_event, streamed

TOTAL_BYTES = 200 * 1024 * 1024
PIECE_BYTES = 64 * 1024
HELD_KB = 512  # a few hundred KB, besides the kernel's socket buffers


def peak_kb(runtime: Runtime) -> int:
    """The most memory that the process has held so far (proc(5): VmHWM)."""
    status = Path(f"/proc/{runtime.process.pid}/status").read_text(encoding="ascii")
    match = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert match
    return int(match[1])


def test_handler_that_writes_200_mb_holds_next_to_nothing(streaming: Runtime) -> None:
    source = streamed(
        "for number in range(event):",
        f"    response_stream.write(bytes([number % 256]) * {PIECE_BYTES})",
    )
    streaming.serve(source, 2)  # the first memory is allocated
    streaming.api.expect_next()
    before = peak_kb(streaming)
    streaming.api.give_event(source_event(source, TOTAL_BYTES // PIECE_BYTES))
    streaming.api.read_head()
    streaming.wait_until_it_sleeps()
    while_blocked = peak_kb(streaming)
    for number in range(TOTAL_BYTES // PIECE_BYTES):
        assert streaming.api.read_chunk() == bytes([number % 256]) * PIECE_BYTES
    assert (streaming.api.read_chunk(), streaming.api.read_trailers()) == (b"", [])
    streaming.api.reply(202)
    streaming.api.expect_next()
    assert while_blocked - before < HELD_KB
    assert peak_kb(streaming) - before < HELD_KB


def test_large_write_is_not_copied(tmp_path: Path) -> None:
    size = 64 * 1024 * 1024
    source = streamed("response_stream.write(event and data or 'small')")
    with running(tmp_path, f"data = bytes({size})\n{source}") as runtime:
        runtime.api.answer_to(b"0")
        runtime.api.expect_next()
        before = peak_kb(runtime)
        assert len(runtime.api.answer_to(b"1").body) == size
        runtime.api.expect_next()
        assert peak_kb(runtime) - before < HELD_KB
