"""What a person sees of `npm start`: banner, demo model, health, refusals, the end."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.curl import SIGNED, curl
from tests.running_stack import PATIENCE_S, ROOT, RunningStack, ready_service
from tests.scripted_upstream import refused_url


def test_first_run_without_any_setting_streams_from_the_demo_model() -> None:
    with ready_service() as stack:
        assert "demo model" in stack.text()
        command = re.search(r"^\s*(curl -N .*)$", stack.text(), re.MULTILINE)
        assert command
        printed = subprocess.run(
            shlex.split(command[1]), capture_output=True, text=True, timeout=PATIENCE_S, check=True
        ).stdout
        events = [line for line in printed.splitlines() if line]
        assert all(line.startswith("data: ") for line in events)
        assert events[-1] == "data: [DONE]"
        texts = [json.loads(line[6:])["choices"][0]["delta"].get("content") for line in events[:-1]]
        assert "Hello" in "".join(text or "" for text in texts)


def test_health_names_every_function(signed_stack: RunningStack) -> None:
    health = curl(f"{signed_stack.url}/_local/health")
    assert health.status == 200
    functions = json.loads(health.body)["functions"]
    assert functions.keys() == {"connect", "disconnect", "default", "stream"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_all_children_with_exit_code_0(number: signal.Signals) -> None:
    with ready_service(OPENAI_BASE_URL=refused_url()) as stack:
        children = _descendants(stack.process.pid)
        assert len(children) >= 4
        assert stack.end(number) == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def test_upstream_that_is_not_there_is_a_clear_error_and_the_stack_lives_on() -> None:
    with ready_service(OPENAI_BASE_URL=refused_url()) as stack:
        for _ in range(2):
            reply = curl(*SIGNED, f"{stack.url}/?message=Hello")
            assert (reply.status, reply.error_code) == (502, "upstream_unreachable")
        assert curl(*SIGNED, f"{stack.url}/healthz").status == 200


@pytest.mark.parametrize(
    ("variables", "variable"),
    [
        ({"FUNCTION_URL_AUTH": "none"}, "FORWARD_KEY"),
        ({"FUNCTION_URL_AUTH": "open"}, "FUNCTION_URL_AUTH"),
        ({"OPENAI_BASE_URL": "not a url"}, "OPENAI_BASE_URL"),
        ({"UPSTREAM_READ_TIMEOUT": "soon"}, "UPSTREAM_READ_TIMEOUT"),
    ],
)
def test_wrong_setting_ends_the_start_and_is_named(
    variables: dict[str, str], variable: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local", "--http-port", "0", "--ws-port", "0"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()  # and no traceback, which says nothing more
    assert variable in line


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children]
