"""`python -m local` as a user runs it, with stand-ins for the functions."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKeys
from websockets.sync.client import connect

from local.command_line import read_user_settings
from tests.local.functions.processes import gone, is_gone
from tests.local.functions.stand_in_service import write_service
from tests.running_stack import stack


def ask(
    url: str, *steps: list[Any], keys: tuple[str, str] = ("local", "local")
) -> requests.Response:
    """POST the steps for a stand-in to the Function URL, signed."""
    body = json.dumps({"steps": steps})
    request = AWSRequest(
        method="POST", url=f"{url}/", data=body, headers={"content-type": "application/json"}
    )
    SigV4Auth(SigningKeys(*keys), "lambda", "us-east-1").add_auth(request)
    return requests.post(f"{url}/", data=body, headers=dict(request.headers), timeout=30)


def environment_of(url: str, *names: str) -> Any:
    return ask(url, ["answer_environment", *names]).json()


def test_banner_health_answer_and_end(tmp_path: Path) -> None:
    with stack(write_service(tmp_path)) as it:
        http, _ = it.wait_ready()
        assert requests.get(f"{http}/_local/health", timeout=30).json()["status"] == "ok"
        pid = ask(http, ["print", "hello"], ["answer_pid"]).json()
        assert it.wait_line("hello") == "stream | hello"
        assert requests.get(http, timeout=30).status_code == 403
        assert it.end() == 0
        assert is_gone(pid)
        assert "Traceback" not in it.text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_twice_ends_it_with_0_while_an_answer_streams(
    tmp_path: Path, number: signal.Signals
) -> None:
    with stack(write_service(tmp_path)) as it:
        http, ws = it.wait_ready()
        with connect(ws) as client:
            client.send(json.dumps({"steps": [["print", "busy"], ["ignore_sigterm"], ["hang"]]}))
            it.wait_line("busy")
            it.process.send_signal(number)
            assert it.end(number) == 0
        assert "Traceback" not in it.text()
        assert http


def test_end_before_it_is_ready(tmp_path: Path) -> None:
    with stack(write_service(tmp_path, connect="init_hang")) as it:
        pid = int(it.wait_line("connect | ").split()[-1])
        assert it.end() == 0
        assert is_gone(pid)
        assert "Ready" not in it.text()


def test_children_do_not_survive_a_killed_stack(tmp_path: Path) -> None:
    with stack(write_service(tmp_path), TMPDIR=str(tmp_path)) as it:
        http, _ = it.wait_ready()
        pid = ask(http, ["answer_pid"]).json()
        busy = ask(http, ["ignore_sigterm"], ["answer_grandchild"], ["hang"]).json()
        it.process.kill()
        asyncio.run(gone(pid))
        asyncio.run(gone(busy))


def test_child_that_hangs_in_its_start_does_not_survive_a_killed_stack(tmp_path: Path) -> None:
    config = write_service(tmp_path, connect="init_hang")
    with stack(config, TMPDIR=str(tmp_path)) as it:
        pid = int(it.wait_line("connect | hanging as").split()[-1])
        it.process.kill()
        asyncio.run(gone(pid))


def test_ended_stack_leaves_no_folder(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with stack(write_service(tmp_path), TMPDIR=str(temporary)) as it:
        it.wait_ready()
        assert list(temporary.iterdir()) != []
        assert it.end() == 0
    assert list(temporary.iterdir()) == []


def test_health_is_503_until_every_function_is_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with stack(write_service(tmp_path, connect="init_hang"), "--http-port", port) as it:
        it.wait_line("connect | ")
        answer = requests.get(f"http://127.0.0.1:{port}/_local/health", timeout=30)
        assert answer.status_code == 503
        assert answer.json()["functions"]["connect"] == "starting"


def test_answer_streams_from_function_to_client(tmp_path: Path) -> None:
    async def test(http: str) -> None:
        async with asyncio.timeout(30):
            gate: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
            server = await asyncio.start_server(
                lambda _reader, writer: gate.put_nowait(writer), "127.0.0.1", 0
            )
            port = server.sockets[0].getsockname()[1]
            steps = [["prelude", {"statusCode": 201}], ["write", "one"], ["gate", port]]
            body = json.dumps({"steps": [*steps, ["write", "two"], ["end"]]})
            request = AWSRequest(method="POST", url=f"{http}/", data=body)
            SigV4Auth(SigningKeys("local", "local"), "lambda", "us-east-1").add_auth(request)
            headers = {**dict(request.headers), "content-type": "application/json"}
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{http}/", data=body, headers=headers) as response,
            ):
                assert response.status == 201
                assert await response.content.readany() == b"one"
                (await gate.get()).close()
                assert await response.content.readany() == b"two"
            server.close()

    with stack(write_service(tmp_path)) as it:
        asyncio.run(test(it.wait_ready()[0]))


def test_crash_is_a_502_and_the_next_request_is_answered(tmp_path: Path) -> None:
    with stack(write_service(tmp_path), "--concurrency", "1") as it:
        http, _ = it.wait_ready()
        crashed = ask(http, ["exit", 1])
        assert (crashed.status_code, crashed.text) == (502, "Internal Server Error")
        assert ask(http, ["answer", {"statusCode": 200, "body": "ok"}]).text == "ok"


def test_websocket_message_reaches_its_function(tmp_path: Path) -> None:
    with stack(write_service(tmp_path)) as it:
        _, ws = it.wait_ready()
        with connect(f"{ws}/dev") as client:
            client.send(json.dumps({"steps": [["error", "E", "m"]]}))
            assert json.loads(client.recv(30))["message"] == "Internal server error"


def test_children_see_what_lambda_and_the_stack_set(tmp_path: Path) -> None:
    config = write_service(tmp_path)
    (tmp_path / ".env").write_text('FROM_FILE="$HOME is kept"\nBOTH=file\n')
    with stack(config, BOTH="shell", NODE_OPTIONS="x", AWS_PROFILE="x") as it:
        http, ws = it.wait_ready()
        names = ("FROM_FILE", "BOTH", "NODE_OPTIONS", "AWS_PROFILE", "API_GW_ENDPOINT")
        told = environment_of(http, *names, "LAMBDA_TASK_ROOT", "_HANDLER", "WEBSOCKET_AUTH")
        assert told == {
            "FROM_FILE": "$HOME is kept",
            "BOTH": "shell",
            "NODE_OPTIONS": None,
            "AWS_PROFILE": None,
            "API_GW_ENDPOINT": ws.replace("ws:", "http:"),
            "LAMBDA_TASK_ROOT": str(tmp_path),
            "_HANDLER": "stand_in.run",
            "WEBSOCKET_AUTH": "none",
            "cwd": str(tmp_path),
        }


def test_own_keys_are_the_ones_that_count(tmp_path: Path) -> None:
    keys = ("AKIDOWN", "hush-hush")
    environ = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), keys, strict=True))
    with stack(write_service(tmp_path), **environ, OPENAI_API_KEY="sk-x") as it:
        http, _ = it.wait_ready()
        assert ask(http, ["answer", "ok"]).status_code == 403
        assert ask(http, ["answer", "ok"], keys=keys).text == "ok"
        assert it.end() == 0
        assert "hush-hush" not in it.text()
        assert "sk-x" not in it.text()
        assert "https://api.openai.com" in it.text()


def test_curl_signs_as_the_banner_says(tmp_path: Path) -> None:
    with stack(write_service(tmp_path)) as it:
        it.wait_ready()
        line = next(line for line in it.lines if "curl" in line).strip()
        done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=30, check=True)
        assert json.loads(done.stdout)["queryStringParameters"] == {"message": "Hello"}


@pytest.mark.parametrize(
    ("how", "printed", "reason"),
    [
        ("init_error", ["about to fail"], "Runtime.ImportModuleError: no x"),
        (
            "init_exit",
            ["bye", "Runtime.ExitError: Runtime exited with error: exit status 3"],
            "Runtime.ExitError: Runtime exited with error: exit status 3",
        ),
    ],
)
def test_function_that_cannot_start_ends_it_with_its_reason(
    tmp_path: Path, how: str, printed: list[str], reason: str
) -> None:
    with stack(write_service(tmp_path, connect=how)) as it:
        assert it.wait() == 1
        assert it.lines == [
            *(f"connect | {line}" for line in printed),
            f"error: function connect could not start: {reason}",
        ]


def test_functions_that_cannot_start_for_one_reason_are_told_once(tmp_path: Path) -> None:
    config = write_service(tmp_path, connect="init_error")
    config.write_text(config.read_text().replace("stand_in.run", "stand_in.init_error"))
    with stack(config) as it:
        assert it.wait() == 1
        printed, error = it.lines
        assert printed.endswith(" | about to fail")
        assert error.endswith("could not start: Runtime.ImportModuleError: no x")


@pytest.mark.parametrize(
    ("environ", "options", "sentence"),
    [
        ({"FUNCTION_URL_AUTH": "open"}, (), "FUNCTION_URL_AUTH must be aws_iam or none"),
        ({"FUNCTION_URL_AUTH": "none"}, (), "set FORWARD_KEY too"),
        ({"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": ","}, (), "set FORWARD_KEY too"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:99999/v1"}, (), "OPENAI_BASE_URL: expected"),
        ({"WEBSOCKET_AUTH": "none"}, ("--host", "0.0.0.0"), "WEBSOCKET_AUTH=none is for loopback"),  # noqa: S104
        ({}, ("--config", "nowhere.yml"), "cannot read nowhere.yml"),
        ({}, ("--config", "/nowhere/else.yml"), "cannot read /nowhere/else.yml"),
        ({}, ("--http-port", "3", "--ws-port", "3"), "--http-port and --ws-port are both 3"),
        ({}, ("--host", "a..b"), "cannot listen on a..b"),
    ],
)
def test_setting_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, environ: dict[str, str], options: tuple[str, ...], sentence: str
) -> None:
    with stack(write_service(tmp_path), *options, **environ) as it:
        assert it.wait() == 1
        (line,) = it.lines
        assert line.startswith("error: ")
        assert sentence in line


def test_websocket_that_lets_nobody_in_says_so_and_starts(tmp_path: Path) -> None:
    with stack(write_service(tmp_path), WEBSOCKET_AUTH="forward_key", FORWARD_KEY=" ,") as it:
        it.wait_ready()
        assert "nobody can connect until FORWARD_KEY is set" in it.text()


def test_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with stack(write_service(tmp_path)) as first:
        port = first.wait_ready()[0].rpartition(":")[2]
        with stack(tmp_path / "serverless.yml", "--http-port", port) as second:
            assert second.wait() == 1
            (line,) = second.lines
            assert f"port {port} on 127.0.0.1 is in use" in line


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap", "X: y"), "without AWS_LAMBDA_EXEC_WRAPPER"),
        (("/opt/bootstrap", "/opt/other"), "names other, which is in none of the function's"),
        (("path: layers/runtime", "path: layers/none"), "layer folder none does not exist"),
    ],
)
def test_function_that_cannot_run_here_is_one_sentence(
    tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    config = write_service(tmp_path)
    config.write_text(config.read_text().replace(*change))
    with stack(config) as it:
        assert it.wait() == 1
        (line,) = it.lines
        assert sentence in line


def test_wrapper_that_is_not_executable_is_told(tmp_path: Path) -> None:
    config = write_service(tmp_path)
    (tmp_path / "layers/runtime/bootstrap").chmod(0o644)
    with stack(config) as it:
        assert it.wait() == 1
        assert "cannot start the exec wrapper bootstrap: Permission denied" in it.text()


@pytest.mark.parametrize("option", [("--http-port", "70000"), ("--concurrency", "0")])
def test_option_out_of_range_is_refused(tmp_path: Path, option: tuple[str, str]) -> None:
    with stack(write_service(tmp_path), *option) as it:
        assert it.wait() == 2
        assert f"argument {option[0]}: must be" in it.text()


def test_ctrl_c_while_it_is_still_loading_leaves_no_traceback(tmp_path: Path) -> None:
    # Stands for any package that takes a while to import.
    (tmp_path / "aiohttp.py").write_text(
        "import time\nprint('importing', flush=True)\ntime.sleep(3600)\n"
    )
    with stack(write_service(tmp_path), PYTHONPATH=str(tmp_path)) as it:
        it.wait_line("importing")
        assert it.end(signal.SIGINT) == -signal.SIGINT
        assert it.lines == ["importing"]


def test_dotenv_that_cannot_be_read_stops_the_start_and_is_named(tmp_path: Path) -> None:
    config = write_service(tmp_path)
    (tmp_path / ".env").write_text("A=1\nOPENAI_API_KEY='hush\n")
    with stack(config) as it:
        assert it.wait() == 1
        (line,) = it.lines
        assert line.startswith(f"error: {tmp_path / '.env'}, line 2: expected NAME=value")
        assert "hush" not in line


def test_dotenv_is_read_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nB='two words'\nC\n")
    user = read_user_settings(tmp_path / "serverless.yml", {"S": "x"})
    assert user.dotenv == {"A": "1", "B": "two words"}
    assert user.shell == {"S": "x"}
