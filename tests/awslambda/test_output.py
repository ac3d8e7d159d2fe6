"""What a function prints is in its log at once; a message of several lines is one log event."""

from __future__ import annotations

import io
import os
import signal
from array import array
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from awslambda.output import TelemetryFrames, log_output, unbuffered
from tests.awslambda.scripted_runtime_api import running

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [
    "print('last', 'words', end='')",
    "sys.stdout.write('last words')",
    "sys.stdout.writelines(['last', ' words'])",
    "sys.stdout.buffer.write(b'last words')",
    "print('last words', end='', file=sys.stderr)",
    "sys.stderr.writelines(['last', ' words'])",
    "sys.__stdout__.write('last words')",
    "handler_without_terminator.emit(logging.makeLogRecord({'msg': 'last words'}))",
]
SOURCE = """
import logging, os, sys, time
handler_without_terminator = logging.StreamHandler(sys.stdout)
handler_without_terminator.terminator = ''
def handler(event, context):
    {}
    {}
"""


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("variables", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["usual", "python -u"])
def test_text_without_a_line_end_is_in_the_log_before_the_answer(
    tmp_path: Path, words: str, variables: dict[str, str]
) -> None:
    with running(tmp_path, SOURCE.format(words, "return 1"), **variables) as runtime:
        runtime.api.give_event()
        runtime.api.read_request()
        assert runtime.out.read_text() + runtime.err.read_text() == "last words"


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "time.sleep(60)"])
def test_last_words_outlive_any_death(tmp_path: Path, end: str) -> None:
    with running(tmp_path, SOURCE.format(WORDS[0], end)) as runtime:
        runtime.api.give_event()
        if "sleep" in end:  # Lambda kills a function whose time is over
            runtime.wait_until_it_sleeps()
            runtime.process.send_signal(signal.SIGKILL)
        assert runtime.finish()[1] == "last words"


def test_large_text_arrives_whole_although_signals_interrupt_it(tmp_path: Path) -> None:
    size = 8 * 1024 * 1024
    words = (
        "import signal; signal.signal(signal.SIGALRM, lambda *_: None);"
        f" signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001); print('x' * {size}, end='')"
    )
    with running(tmp_path, SOURCE.format(words, "signal.setitimer(0, 0)")) as runtime:
        runtime.api.answer_to()
        assert len(runtime.new_output()) == size


def test_stream_without_a_file_is_kept() -> None:
    stream = io.StringIO()
    assert unbuffered(stream) is stream


def test_text_arrives_whole_on_a_pipe_that_must_not_block() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with (
        os.fdopen(reader, "rb") as received,
        os.fdopen(writer, "w") as stream,
        ThreadPoolExecutor() as pool,
    ):
        text = unbuffered(stream)
        whole = pool.submit(received.read)
        text.write("x" * 1_000_000)
        text.buffer.write(array("H", range(1000)))
        stream.close()
        assert len(whole.result()) == 1_002_000


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("raise ValueError('one\\ntwo')", b"[ERROR] ValueError: one\rtwo\rTraceback (most recent"),
        ("import logging; logging.error('one\\ntwo')", b"\tone\rtwo\n"),
        ("context.log('one\\ntwo')", b"one\rtwo\n"),
    ],
)
def test_message_of_several_lines_is_one_line_without_telemetry(
    tmp_path: Path, statement: str, line: bytes
) -> None:
    source = f"def handler(event, context):\n    {statement}"
    with running(tmp_path, source, _LAMBDA_TELEMETRY_LOG_FD="") as runtime:
        runtime.api.give_event()
        runtime.api.read_request()
        out = runtime.out.read_bytes()
    assert line in out
    assert out.count(b"\n") == 1


def test_function_does_not_see_the_telemetry_descriptor(tmp_path: Path) -> None:
    source = "import os\ndef handler(e, c): return '_LAMBDA_TELEMETRY_LOG_FD' in os.environ"
    with running(tmp_path, source) as runtime:
        assert runtime.api.answer_to().body == b"false"


def test_frame_has_type_length_time_and_message() -> None:
    reader, writer = os.pipe()
    TelemetryFrames(writer, clock=lambda: 1.5).send("\ud83d\n", level=35)
    assert os.read(reader, 100) == b"\xa5\x5a\x00\x13" + bytes([0, 0, 0, 7]) + (
        (1_500_000).to_bytes(8, "big") + b"\\ud83d\n"
    )
    os.close(reader)
    os.close(writer)
    TelemetryFrames(writer).send("a message that is lost does no harm")


@pytest.mark.parametrize("descriptor", ["", "x", "9999"])
def test_output_takes_messages_if_the_descriptor_is_unusable(descriptor: str) -> None:
    out = io.StringIO()
    log_output({"_LAMBDA_TELEMETRY_LOG_FD": descriptor}, out).send("a\nb\n")
    assert out.getvalue() == "a\rb\n"
