"""The connection to the Runtime API: refusals, breaks, and what is echoed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import running, streamed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("status", [400, 403, 410, 413])
def test_refused_answer_is_logged_and_the_next_event_is_served(tmp_path: Path, status: int) -> None:
    with running(tmp_path, streamed("response_stream.end('x')")) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_request()
        runtime.api.reply(status, b'{"errorType":"InvokeTimeout"}')
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert f"[WARNING] Runtime API: the streamed response was refused: {status}" in out
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
    assert "cannot go on" in out


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
