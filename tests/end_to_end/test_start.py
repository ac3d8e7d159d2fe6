"""What a person sees of `npm start`: banner, demo model, health, refusals, the end."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.curl import SIGNED, curl
from tests.running_stack import PATIENCE_S, ROOT, RunningStack, ready_service, stack
from tests.scripted_upstream import refused_url

OPENAI_FORWARD = ROOT / "tests" / "data" / "openai_forward" / "env.example"


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


def test_openai_forwards_example_starts_and_what_is_ignored_is_named(tmp_path: Path) -> None:
    config = _service_with_dotenv(tmp_path, OPENAI_FORWARD.read_text(encoding="utf-8"))
    with ready_service(config) as stack:
        (named,) = re.findall(r"ignores them:\n(.*?)\n\n", stack.text(), re.DOTALL)
        assert re.findall(r"^  (FORWARD_CONFIG|TZ|CACHE_OPENAI) ", named, re.MULTILINE)
        assert "PROXY" not in named
        # The proxy of the example does not run; the demo model needs none.
        reply = curl(*SIGNED, f"{stack.url}/?message=Hello")
        assert (reply.status, b"[DONE]" in reply.body) == (200, True)


def test_ignored_variable_that_protects_ends_the_start(tmp_path: Path) -> None:
    config = _service_with_dotenv(tmp_path, 'LEVEL_MODELS={"1": ["gpt-4"]}\n')
    with stack(config, OPENAI_APIKEY="sk-of-a-test") as ended:
        assert ended.wait() == 1
    assert "  LEVEL_MODELS (openai-forward): Make keys with `npm run keys" in ended.text()
    assert "  OPENAI_APIKEY: Use OPENAI_API_KEY." in ended.text()
    assert ended.lines[-1].startswith("error: LEVEL_MODELS would protect the gateway")


def _service_with_dotenv(folder: Path, dotenv: str) -> Path:
    shutil.copyfile(ROOT / "serverless.yml", folder / "serverless.yml")
    for name in ("functions", "layers"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".env").write_text(dotenv, encoding="utf-8")
    return folder / "serverless.yml"


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children]
