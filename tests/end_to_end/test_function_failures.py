"""A function's process that dies or times out, and what its caller gets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.curl import SIGNED, curl
from tests.patient_client import connect
from tests.running_stack import PATIENCE_S, ROOT, RunningStack, ready_service
from tests.scripted_upstream import GatedAnswer, ScriptedUpstream, answer_stream, delta, says

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stack(upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    with ready_service(OPENAI_BASE_URL=upstream.url) as running:
        yield running


def kill_children(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    assert children
    for child in children:
        os.kill(int(child), signal.SIGKILL)


def test_process_that_dies_before_its_answer_is_502_and_is_replaced(
    stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    for _ in range(2):
        upstream.script = lambda _request, _connection: kill_children(stack.process.pid)
        reply = curl(*SIGNED, f"{stack.url}/?message=Hello")
        assert (reply.status, reply.body) == (502, b"Internal Server Error")
        upstream.script = says("back")
        assert curl(*SIGNED, f"{stack.url}/?message=Hello").body == answer_stream(["back"])


def test_process_that_dies_in_its_answer_leaves_it_visibly_incomplete(
    stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = gated = GatedAnswer("one", "never")
    with subprocess.Popen(
        ["curl", "-sN", *SIGNED, f"{stack.url}/?message=Hello"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        gated.open()
        assert process.stdout.readline() + process.stdout.readline() == delta("one")
        kill_children(stack.process.pid)
        assert process.wait(PATIENCE_S) != 0
        gated.open(2)


def test_process_that_dies_in_a_websocket_answer_ends_no_connection(
    stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    """Nobody is left who could tell the client; but it is served as before."""
    upstream.script = gated = GatedAnswer("one", "never")
    question = json.dumps({"messages": [{"role": "user", "content": "Hello"}]})
    with connect(stack.websocket_url) as client:
        client.send(question)
        gated.open()
        assert client.recv(PATIENCE_S) == "one"
        kill_children(stack.process.pid)
        gated.open(2)
        assert upstream.gone.wait(PATIENCE_S)
        upstream.script = says("back")
        client.send(question)
        assert [client.recv(PATIENCE_S), client.recv(PATIENCE_S)] == ["back", "<END>"]


def test_stream_ends_with_an_error_event_before_the_function_times_out(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    upstream.script = gated = GatedAnswer("one", "never")
    gated.open()
    yaml = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    config = tmp_path / "serverless.yml"
    config.write_text(yaml.replace("timeout: 900", "timeout: 2"), encoding="utf-8")
    for part in ("functions", "layers"):
        (tmp_path / part).symlink_to(ROOT / part)
    with ready_service(config, OPENAI_BASE_URL=upstream.url) as stack:
        reply = curl(*SIGNED, f"{stack.url}/?message=Hello")
        assert (reply.status, reply.exit_code) == (200, 0)
        last = reply.body.removeprefix(delta("one"))
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "deadline_exceeded"
        gated.open(2)
