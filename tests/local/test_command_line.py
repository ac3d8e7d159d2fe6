"""`python -m local` as a user runs it, with stand-ins for the functions."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import requests
from botocore.credentials import Credentials
from websockets.exceptions import InvalidStatus

from local.command_line import main, parse, parser, read_user_settings, stack_options
from local.errors import ConfigurationError
from local.project.environment import UserSettings
from tests.local.functions.processes import gone, is_gone
from tests.local.functions.stand_in_service import write_service
from tests.local.http.signing import signed_headers
from tests.patient_client import connect
from tests.running_stack import PATIENCE_S, RunningStack, stack, stack_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESS = "AZURE_OPENAI_PROXY_ADDRESS"
LOCAL_PAIR = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


def post(url: str, *steps: list[Any], **options: Any) -> requests.Response:
    """POST the steps of a stand-in, signed."""
    body = json.dumps({"steps": steps}).encode()
    content_type = {"content-type": "application/json"}
    headers = signed_headers("POST", f"{url}/", body, headers=content_type, **options)
    return requests.post(f"{url}/", data=body, headers=headers, timeout=PATIENCE_S)


class Ended(NamedTuple):
    lines: list[str]
    error: str


def run_until_it_fails(config: Path, *options: str, **environ: str) -> Ended:
    """Run the command in this process; return its output and its error message."""
    out, err = io.StringIO(), io.StringIO()
    arguments = ["--config", str(config), "--http-port", "0", "--ws-port", "0", *options]
    assert main(arguments, environ, out, err) == 1
    (line,) = err.getvalue().splitlines()
    assert line.startswith("error: ")
    return Ended(out.getvalue().splitlines(), line.removeprefix("error: "))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack that the tests share."""
    folder = tmp_path_factory.mktemp("service")
    (folder / ".env").write_text('FROM_FILE="\\$HOME is kept"\nBOTH=file\n')
    with stack(write_service(folder), BOTH="shell", NODE_OPTIONS="x", AWS_PROFILE="x") as running:
        running.wait_ready()
        yield running


def test_ready_stack_is_healthy_and_prints_its_functions_lines(
    service: RunningStack,
) -> None:
    assert requests.get(f"{service.url}/_local/health", timeout=PATIENCE_S).json()["status"] == "ok"
    assert post(service.url, ["print", "hello"], ["answer", 1]).json() == 1
    assert service.wait_line("hello") == "stream | hello"
    assert requests.get(service.url, timeout=PATIENCE_S).status_code == 403


def test_children_see_what_lambda_and_the_stack_set(service: RunningStack) -> None:
    names = "FROM_FILE BOTH NODE_OPTIONS AWS_PROFILE API_GW_ENDPOINT _HANDLER WEBSOCKET_AUTH"
    names += " LAMBDA_TASK_ROOT SSL_CERT_FILE"
    found = post(service.url, ["answer_environment", *names.split()]).json()
    folder = found.pop("cwd")
    assert found == {
        "FROM_FILE": "$HOME is kept",
        "BOTH": "shell",
        "NODE_OPTIONS": None,
        "AWS_PROFILE": None,
        "SSL_CERT_FILE": None,
        "API_GW_ENDPOINT": service.websocket_url.replace("ws:", "http:"),
        "_HANDLER": "stand_in.run",
        "WEBSOCKET_AUTH": "none",
        "LAMBDA_TASK_ROOT": folder,
    }


def test_crash_is_a_502_and_the_next_request_is_answered(service: RunningStack) -> None:
    crashed = post(service.url, ["exit", 1])
    assert (crashed.status_code, crashed.text) == (502, "Internal Server Error")
    assert post(service.url, ["answer", {"statusCode": 200, "body": "ok"}]).text == "ok"


def test_tls_handshake_is_a_line_that_says_which_url_to_use(service: RunningStack) -> None:
    for url, place in ((service.url, "Function URL"), (service.websocket_url, "WebSocket")):
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"https://{url.rpartition('//')[2]}/", timeout=PATIENCE_S)
        line = service.wait_line(f"refused | {place}, 400: The request is not valid HTTP.")
        assert "http:// or ws:// URL" in line


def test_curl_line_of_the_banner_works(service: RunningStack) -> None:
    line = next(line for line in service.lines if "curl" in line).strip()
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=PATIENCE_S, check=True)
    assert json.loads(done.stdout)["queryStringParameters"] == {"message": "Hello"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_twice_ends_it_with_0_while_an_answer_streams(
    tmp_path: Path, number: signal.Signals
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with stack(write_service(tmp_path), TMPDIR=str(temporary)) as it:
        http, ws = it.wait_ready()
        idle = post(http, ["answer_pid"]).json()
        assert list(temporary.iterdir()) != []
        with connect(ws) as client:
            client.send(json.dumps({"steps": [["print", "busy"], ["ignore_sigterm"], ["hang"]]}))
            it.wait_line("busy")
            it.process.send_signal(number)
            assert it.end(number) == 0
        assert is_gone(idle)
        assert "Traceback" not in it.text()
        assert list(temporary.iterdir()) == []


def test_stack_that_is_starting_is_unhealthy_and_can_be_ended(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with stack(write_service(tmp_path, connect="init_hang"), "--http-port", port) as it:
        pid = int(it.wait_line("connect | hanging as").split()[-1])
        answer = requests.get(f"http://127.0.0.1:{port}/_local/health", timeout=PATIENCE_S)
        assert answer.status_code == 503
        assert answer.json()["functions"]["connect"] == "starting"
        assert it.end() == 0
        assert is_gone(pid)
        assert "Ready" not in it.text()


async def test_children_do_not_survive_a_killed_stack(tmp_path: Path) -> None:
    with stack(write_service(tmp_path), TMPDIR=str(tmp_path)) as it:
        http, _ = it.wait_ready()
        pid = post(http, ["answer_pid"]).json()
        grandchild = post(http, ["ignore_sigterm"], ["answer_grandchild"], ["hang"]).json()
        it.process.kill()
        await gone(pid)
        await gone(grandchild)


async def test_child_that_hangs_at_its_start_does_not_survive_a_killed_stack(
    tmp_path: Path,
) -> None:
    with stack(write_service(tmp_path, connect="init_hang"), TMPDIR=str(tmp_path)) as it:
        pid = int(it.wait_line("connect | hanging as").split()[-1])
        it.process.kill()
        await gone(pid)


def test_own_keys_replace_the_local_ones_and_are_never_shown(tmp_path: Path) -> None:
    keys = ("AKIDOWN", "hush-hush")
    environ = {
        "AWS_ACCESS_KEY_ID": keys[0],
        "AWS_SECRET_ACCESS_KEY": keys[1],
        "OPENAI_API_KEY": "sk-x",
        ADDRESS: "localhost:8080",
        "WEBSOCKET_AUTH": "forward_key",
        "FORWARD_KEY": " ,",
    }
    with stack(write_service(tmp_path), **environ) as it:
        http, ws = it.wait_ready()
        assert http.startswith("http://localhost:")
        assert ws.startswith("ws://localhost:")
        assert post(http, ["answer", "ok"]).status_code == 403
        assert post(http, ["answer", "ok"], keys=Credentials(*keys)).text == "ok"
        assert it.end() == 0
        assert "hush-hush" not in it.text()
        assert "sk-x" not in it.text()
        assert "https://api.openai.com" in it.text()
        assert "rejects every client until FORWARD_KEY is set" in it.text()


EXITED = "Runtime.ExitError: Runtime exited with error: exit status 3"


@pytest.mark.parametrize(
    ("how", "lines", "reason"),
    [
        ("init_error", ["about to fail"], "Runtime.ImportModuleError: no x"),
        ("init_exit", ["bye", EXITED], EXITED),
    ],
)
def test_function_that_cannot_start_ends_it_with_its_reason(
    tmp_path: Path, how: str, lines: list[str], reason: str
) -> None:
    ended = run_until_it_fails(write_service(tmp_path, connect=how))
    assert ended.lines == [f"connect | {line}" for line in lines]
    assert ended.error == f"Function connect could not start: {reason}"


def test_functions_that_cannot_start_for_one_reason_report_it_once(tmp_path: Path) -> None:
    config = write_service(tmp_path, connect="init_error")
    config.write_text(config.read_text().replace("stand_in.run", "stand_in.init_error"))
    ended = run_until_it_fails(config)
    assert [line.partition(" | ")[2] for line in ended.lines] == ["about to fail"]
    assert ended.error.endswith("could not start: Runtime.ImportModuleError: no x")


@pytest.mark.parametrize(
    ("environ", "options", "message"),
    [
        ({"FUNCTION_URL_AUTH": "open"}, (), "FUNCTION_URL_AUTH must be aws_iam or none"),
        ({"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": ","}, (), "requires FORWARD_KEY"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:99999"}, (), "OPENAI_BASE_URL must start with"),
        ({"WEBSOCKET_AUTH": "none"}, ("--host", "0.0.0.0"), "allowed on loopback only"),  # noqa: S104
        ({"WEBSOCKET_AUTH": "none", ADDRESS: "0.0.0.0:8080"}, (), "allowed on loopback only"),
        ({}, ("--host", "0.0.0.0"), "Set AWS_ACCESS_KEY_ID and"),  # noqa: S104
        ({ADDRESS: ":0", **LOCAL_PAIR}, (), "well-known key pair local:local"),
        ({ADDRESS: "8080"}, (), f"{ADDRESS} must be host:port"),
        ({}, ("--config", "/nowhere/else.yml"), "Cannot read /nowhere/else.yml"),
        ({}, ("--http-port", "3", "--ws-port", "3"), "--http-port and --ws-port must differ"),
        ({}, ("--host", "a..b"), "Cannot listen on a..b"),
    ],
)
def test_invalid_setting_is_one_message(
    tmp_path: Path, environ: dict[str, str], options: tuple[str, ...], message: str
) -> None:
    ended = run_until_it_fails(write_service(tmp_path), *options, **environ)
    assert ended.lines == []
    assert message in ended.error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap", "X: y"), "without AWS_LAMBDA_EXEC_WRAPPER"),
        (("/opt/bootstrap", "/opt/other"), "no layer of the function holds other"),
        (("path: layers/runtime", "path: layers/none"), "Layer folder none is missing"),
    ],
)
def test_function_that_cannot_run_here_is_one_message(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    config = write_service(tmp_path)
    config.write_text(config.read_text().replace(*change))
    ended = run_until_it_fails(config)
    assert ended.lines == []
    assert message in ended.error


def test_wrapper_that_is_not_executable_is_reported(tmp_path: Path) -> None:
    config = write_service(tmp_path)
    (tmp_path / "layers/runtime/bootstrap").chmod(0o644)
    message = "Cannot start the exec wrapper bootstrap: Permission denied."
    assert message in run_until_it_fails(config).error


def test_port_in_use_is_one_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_until_it_fails(write_service(tmp_path), "--http-port", str(port))
    assert ended.error.startswith(f"Port {port} on 127.0.0.1 is already in use.")


def test_invalid_dotenv_stops_the_start_and_is_not_quoted(tmp_path: Path) -> None:
    config = write_service(tmp_path)
    (tmp_path / ".env").write_text("A=1\nOPENAI_API_KEY='hush\n")
    error = run_until_it_fails(config).error
    assert error.startswith(f"{tmp_path / '.env'}, line 2: must be NAME=value")
    assert "hush" not in error


@pytest.mark.parametrize("option", [("--http-port", "70000"), ("--concurrency", "0")])
def test_option_out_of_range_is_rejected(
    capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(option, {})
    assert f"argument {option[0]}: must be" in capsys.readouterr().err


def test_unknown_argument_gets_the_line_to_write() -> None:
    for arguments in (["3100"], ["--port", "3100"], ["-p", "3100"]):
        with pytest.raises(ConfigurationError, match="npm start -- --http-port 3100"):
            parse(arguments, {})


def test_process_with_few_files_says_so_and_lets_clients_wait(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nulimit -n 90\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with stack_of(str(python), write_service(tmp_path / "service")) as it:
        http, ws = it.wait_ready()
        assert "This process may open 90 files, so that a function has 1 processes" in it.text()
        with ExitStack() as clients:
            for _ in range(90):
                clients.enter_context(socket.create_connection(address_of(http)))
            it.wait_line("stack | Cannot accept a connection, so clients wait: Too many open files")
        assert post(http, ["answer", 1]).json() == 1
        with ExitStack() as clients:
            for _ in range(90 // 4):
                clients.enter_context(connect(ws))
            with pytest.raises(InvalidStatus, match="503"):
                connect(ws)
            it.wait_line("refused | WebSocket, 503: This process may not open more files")
        assert it.end() == 0
        assert "Traceback" not in it.text()


def test_soft_limit_of_files_is_raised_to_the_hard_one(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nulimit -S -n 90\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with stack_of(str(python), write_service(tmp_path / "service")) as it:
        it.wait_ready()
        assert "This process may open" not in it.text()


def address_of(url: str) -> tuple[str, int]:
    host, _, port = url.rpartition("//")[2].rpartition(":")
    return host, int(port)


def test_ctrl_c_during_the_imports_prints_no_traceback(tmp_path: Path) -> None:
    # Stands for any package that is slow to import.
    (tmp_path / "aiohttp.py").write_text(
        "import time\nprint('importing', flush=True)\ntime.sleep(3600)\n"
    )
    with stack(write_service(tmp_path), PYTHONPATH=str(tmp_path)) as it:
        it.wait_line("importing")
        assert it.end(signal.SIGINT) == -signal.SIGINT
        assert it.lines == ["importing"]


def test_config_is_relative_to_where_the_user_started_npm() -> None:
    by_npm = {"npm_lifecycle_event": "start", "INIT_CWD": "/home/me/words"}
    by_other_script = {**by_npm, "npm_lifecycle_event": "test"}
    for arguments, environ, file in (
        ([], by_npm, "serverless.yml"),
        (["--config", "own.yml"], by_npm, "/home/me/words/own.yml"),
        (["--config", "/x/own.yml"], by_npm, "/x/own.yml"),
        (["--config", "own.yml"], by_other_script, "own.yml"),
        (["--config", "own.yml"], {}, "own.yml"),
    ):
        assert str(parse(arguments, environ).config) == file


def test_dotenv_is_read_next_to_the_config(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nB='two words'\nC\n")
    user = read_user_settings(tmp_path / "serverless.yml", {"S": "x"}, "dev")
    assert user == UserSettings({"S": "x"}, {"A": "1", "B": "two words"})


def test_stage_selects_its_dotenv_and_the_names(tmp_path: Path) -> None:
    config = write_service(tmp_path)
    (tmp_path / ".env").write_text("FROM_FILE=any\n")
    (tmp_path / ".env.prod").write_text("FROM_FILE=prod\n")
    with stack(config, "--stage", "prod") as it:
        http, _ = it.wait_ready()
        names = "FROM_FILE AWS_LAMBDA_FUNCTION_NAME"
        found = post(http, ["answer_environment", *names.split()]).json()
        assert found["FROM_FILE"] == "prod"
        assert "-prod-" in found["AWS_LAMBDA_FUNCTION_NAME"]
    assert "must be letters, digits, hyphens" in run_until_it_fails(config, "--stage", "../x").error


@pytest.mark.parametrize(
    ("arguments", "shell", "dotenv", "listens_on"),
    [
        ((), "", "", ("127.0.0.1", 3000)),
        ((), "localhost:8080", "", ("localhost", 8080)),
        ((), "", "localhost:8080", ("localhost", 8080)),
        ((), "localhost:8080", "localhost:8081", ("localhost", 8080)),
        (("--http-port", "0"), "localhost:8080", "", ("localhost", 0)),
        (("--host", "127.0.0.1"), ":8080", "", ("127.0.0.1", 8080)),
    ],
)
def test_command_line_overrides_the_shell_and_the_shell_the_file(
    arguments: tuple[str, ...], shell: str, dotenv: str, listens_on: tuple[str, int]
) -> None:
    shell_settings = {ADDRESS: shell} if shell else {}
    options = stack_options(
        parser().parse_args(arguments), UserSettings(shell_settings, {ADDRESS: dotenv})
    )
    assert (options.host, options.http_port, options.ws_port) == (*listens_on, 3001)


def test_address_must_not_have_the_port_of_the_websockets() -> None:
    with pytest.raises(ConfigurationError, match="must differ"):
        stack_options(parser().parse_args([]), UserSettings({ADDRESS: ":3001"}, {}))
