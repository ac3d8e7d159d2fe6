"""A function's process that dies or runs out of time, and what its caller gets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from websockets.sync.client import connect

from tests.end_to_end.curl import SIGNED, curl
from tests.running_stack import PATIENCE_S, ROOT, ready_service
from tests.scripted_upstream import (
    GatedAnswer,
    ScriptedUpstream,
    UpstreamRequest,
    answer_stream,
    delta,
    says,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

HELLO = [{"role": "user", "content": "Hello"}]


def kill_children(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    assert children
    for child in children:
        os.kill(int(child), signal.SIGKILL)


def killing(pid: int) -> Callable[[UpstreamRequest, socket.socket], None]:
    """A script: the function's process dies during the request."""

    def script(_request: UpstreamRequest, _connection: socket.socket) -> None:
        kill_children(pid)

    return script


def test_process_that_dies_before_its_answer_is_502_and_is_replaced(
    upstream: ScriptedUpstream,
) -> None:
    with ready_service(OPENAI_BASE_URL=upstream.url) as stack:
        for _ in range(2):
            upstream.script = killing(stack.process.pid)
            reply = curl(*SIGNED, f"{stack.url}/?message=Hello")
            assert (reply.status, reply.body) == (502, b"Internal Server Error")
            upstream.script = says("back")
            assert curl(*SIGNED, f"{stack.url}/?message=Hello").body == answer_stream(["back"])


def test_process_that_dies_in_its_answer_leaves_it_visibly_incomplete(
    upstream: ScriptedUpstream,
) -> None:
    gated = GatedAnswer("one", "never")
    upstream.script = gated
    with (
        ready_service(OPENAI_BASE_URL=upstream.url) as stack,
        subprocess.Popen(
            ["curl", "-sN", *SIGNED, f"{stack.url}/?message=Hello"], stdout=subprocess.PIPE
        ) as process,
    ):
        assert process.stdout is not None
        gated.open()
        assert process.stdout.readline() + process.stdout.readline() == delta("one")
        kill_children(stack.process.pid)
        assert process.wait(PATIENCE_S) != 0
        gated.open(2)


def test_message_whose_process_cannot_answer_is_an_internal_server_error_frame(
    tmp_path: Path,
) -> None:
    broken = "raise SystemExit(1)  # not before its first event\n"
    source = (ROOT / "functions/default/handler.py").read_text(encoding="utf-8")
    config = service_in(
        tmp_path,
        {
            "functions/default/handler.py": source.replace(
                "    deadline = ", f"    {broken}    deadline = "
            )
        },
    )
    with ready_service(config) as stack, connect(stack.websocket_url) as client:
        for _ in range(2):
            client.send(json.dumps({"messages": HELLO}))
            frame = json.loads(client.recv(timeout=PATIENCE_S))
            assert frame["message"] == "Internal server error"
            assert frame.keys() == {"message", "connectionId", "requestId"}


def test_stream_ends_with_an_error_event_before_the_time_of_the_function_is_over(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    gated = GatedAnswer("one", "never")
    upstream.script = gated
    gated.open()
    yaml = (
        (ROOT / "serverless.yml").read_text(encoding="utf-8").replace("timeout: 900", "timeout: 2")
    )
    config = service_in(tmp_path, {"serverless.yml": yaml})
    with ready_service(config, OPENAI_BASE_URL=upstream.url) as stack:
        reply = curl(*SIGNED, f"{stack.url}/?message=Hello")
        assert (reply.status, reply.exit_code) == (200, 0)
        last = reply.body.removeprefix(delta("one"))
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "deadline_exceeded"
        gated.open(2)


def service_in(folder: Path, changed: dict[str, str]) -> Path:
    """A copy of the service with some files changed; the path of its serverless.yml."""
    shutil.copy(ROOT / "serverless.yml", folder)
    for part in ("functions", "layers"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in changed.items():
        (folder / path).write_text(text, encoding="utf-8")
    return folder / "serverless.yml"
