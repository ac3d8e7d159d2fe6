"""Work behind an answer: when it runs, and what becomes of its failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import running, streamed

if TYPE_CHECKING:
    from pathlib import Path


def test_after_response_runs_once_the_answer_is_posted(tmp_path: Path) -> None:
    gate, done = tmp_path / "gate", tmp_path / "done"
    source = f"""
import awslambda, os, time
def later(name):
    while not os.path.exists({str(gate)!r}): time.sleep(0.01)
    open({str(done)!r}, "a").write(name)
    awslambda.after_response(lambda: open({str(done)!r}, "a").write(" and again"))
def handler(event, context):
    awslambda.after_response(later, "ran")
    return "answer"
"""
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        assert runtime.api.expect_answer().body == b'"answer"'
        assert not done.exists()
        gate.touch()
        runtime.api.expect_next()
        assert done.read_text() == "ran and again"


def test_exception_in_after_response_is_logged_and_the_next_event_is_served(tmp_path: Path) -> None:
    source = """
import awslambda
def handler(event, context):
    awslambda.after_response(lambda: 1 / 0)
    return 1
"""
    with running(tmp_path, source) as runtime:
        for _ in range(2):
            runtime.api.expect_next()
            runtime.api.give_event()
            assert runtime.api.expect_answer().body == b"1"
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert out.count("[ERROR] ZeroDivisionError") == 2


@pytest.mark.parametrize("last", ["response_stream.write('x')", "response_stream.end('x')", "pass"])
def test_after_response_is_dropped_when_a_streaming_handler_fails(
    tmp_path: Path, last: str
) -> None:
    source = streamed("awslambda.after_response(print, 'must not run')", last, "raise ValueError")
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_request()
        runtime.api.reply(202)
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert "must not run" not in out


@pytest.mark.parametrize("call", ["later", "sys.exit, 3"])
def test_after_response_of_an_async_function_or_an_exit_is_told_in_the_log(
    tmp_path: Path, call: str
) -> None:
    source = f"""
import awslambda, sys
async def later(): pass
def handler(event, context): awslambda.after_response({call})
"""
    with running(tmp_path, source) as runtime:
        for _ in range(2):
            runtime.api.expect_next()
            runtime.api.give_event()
            runtime.api.expect_answer()
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert ("[ERROR] TypeError: after_response" if call == "later" else "[ERROR] SystemExit") in out


def test_after_response_is_dropped_when_the_handler_fails(tmp_path: Path) -> None:
    source = """
import awslambda
def handler(event, context):
    awslambda.after_response(print, "must not run")
    raise ValueError("no answer")
"""
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.expect_answer("error")
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert "must not run" not in out
