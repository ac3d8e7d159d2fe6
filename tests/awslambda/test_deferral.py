"""Work after an answer: when it runs, and how its failures are logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import awslambda
from tests.awslambda.scripted_runtime_api import Runtime, streamed

if TYPE_CHECKING:
    from pathlib import Path

DEFERRED = """
import awslambda, sys
async def coroutine(): pass
awaitable = type("Awaitable", (), {{"__await__": None}})
def handler(event, context):
    awslambda.after_response({})
    awslambda.after_response(print, "the next one runs")
    return 1 / event
"""


def test_after_response_runs_once_the_answer_is_posted(ordinary: Runtime, tmp_path: Path) -> None:
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
    assert ordinary.serve(source).body == b'"answer"'
    assert not done.exists()
    gate.touch()
    ordinary.api.expect_next()
    assert done.read_text() == "ran and again"


@pytest.mark.parametrize(
    ("call", "logged"),
    [
        ("lambda: 1 / 0", "[ERROR] ZeroDivisionError: division by zero"),
        ("coroutine", "[ERROR] TypeError: after_response requires a plain function"),
        ("awaitable", "[ERROR] TypeError: after_response requires a plain function"),
        ("sys.exit, 3", "[ERROR] SystemExit: 3"),
    ],
)
def test_failure_in_after_response_is_logged_and_ends_nothing_else(
    ordinary: Runtime, call: str, logged: str
) -> None:
    assert ordinary.serve(DEFERRED.format(call), 1).body == b"1.0"
    out = ordinary.new_output()
    assert logged in out
    assert "the next one runs" in out


def test_after_response_is_dropped_if_the_handler_fails(
    ordinary: Runtime, streaming: Runtime
) -> None:
    ordinary.serve(DEFERRED.format("print, 'must not run'"), 0, leaf="error")
    defer = "awslambda.after_response(print, 'must not run')"
    streaming.serve(streamed(defer, "raise ValueError"), leaf="error")
    streaming.serve(streamed(defer, "response_stream.write('x'); raise ValueError"))
    streaming.serve(streamed(defer, "response_stream.end('x'); raise ValueError"))
    assert "must not run" not in ordinary.new_output() + streaming.new_output()


def test_after_response_outside_the_runtime_runs_at_once() -> None:
    calls: list[tuple[int, int]] = []
    awslambda.after_response(lambda a, b: calls.append((a, b)), 1, b=2)
    assert calls == [(1, 2)]
