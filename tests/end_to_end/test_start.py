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
    assert functions.keys() == {"connect", "disconnect", "control", "default", "stream"}


def test_unreachable_upstream_is_a_clear_error_and_ctrl_c_ends_all_children() -> None:
    with ready_service(OPENAI_BASE_URL=refused_url()) as stack:
        children = _descendants(stack.process.pid)
        assert len(children) >= 5
        for _ in range(2):
            reply = curl(*SIGNED, f"{stack.url}/?message=Hello")
            assert (reply.status, reply.error_code) == (502, "upstream_unreachable")
        assert curl(*SIGNED, f"{stack.url}/healthz").status == 200
        assert stack.end(signal.SIGINT) == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def test_wrong_setting_ends_the_start_and_is_named() -> None:
    for variable, value in (("FUNCTION_URL_AUTH", "open"), ("UPSTREAM_READ_TIMEOUT", "soon")):
        done = subprocess.run(
            [sys.executable, "-m", "local", "--http-port", "0", "--ws-port", "0"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], variable: value},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 1
        (line,) = (done.stdout + done.stderr).splitlines()  # and no traceback
        assert variable in line


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children]
