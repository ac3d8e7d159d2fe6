"""`npm run secrets` against moto's Parameter Store: in this process, and twice as a program."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.project.environment import UserSettings
from scripts.access.errors import ToolError
from scripts.access.place import DEFAULT_REGION, DEFAULT_STAGE, SERVICE, session_of
from scripts.access.shell import Shell
from scripts.secret_parameters import MAX_VALUE_BYTES, checked_value, main, parameter_name
from tests.child_environment import ROOT

PROGRAM = [sys.executable, "-m", "scripts.secret_parameters"]
KEY = "sk-a-key-that-nobody-may-see"
OPENAI_KEY = "/sluice/dev/openai-api-key"

Run = Callable[..., tuple[int, str]]


def run_with(connect: Any, *arguments: str, value: str = KEY) -> tuple[int, str]:
    """Return the exit code and all that was written, in which the key never is."""
    written = io.StringIO()
    shell = Shell(arguments, {}, io.StringIO(value), written, written)
    status = main(shell, connect=connect)
    assert KEY not in written.getvalue()
    return status, written.getvalue()


class Session:
    """boto3's, as a program in that account has it."""

    def __init__(self, account: Mapping[str, str], region: str) -> None:
        self._session = session_of(UserSettings(account, {}), region)
        self._endpoint_url = account["AWS_ENDPOINT_URL"]

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint_url)


def connect_to(account: Mapping[str, str]) -> Callable[..., Any]:
    return lambda _user, region: Session(account, region)


@pytest.fixture
def run(account: dict[str, str]) -> Run:
    return partial(run_with, connect_to(account))


def stored(account: Mapping[str, str], name: str, region: str = "us-east-1") -> dict[str, Any]:
    client = Session(account, region).client("ssm")
    found: dict[str, Any] = client.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    return found


def test_piped_key_is_stored_as_a_secure_string_under_its_stage(account: dict[str, str]) -> None:
    printed = subprocess.check_output(
        [*PROGRAM, "set", "openai-api-key"],
        cwd=ROOT,
        env={**account, "PATH": os.environ["PATH"]},
        input=f"{KEY}\n",
        text=True,
    )
    assert printed == f"Stored {OPENAI_KEY} in us-east-1, version 1.\n"
    parameter = stored(account, OPENAI_KEY)
    assert (parameter["Value"], parameter["Type"]) == (KEY, "SecureString")


def test_terminal_asks_without_echo(account: dict[str, str]) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*PROGRAM, "set", "openai-api-key"],
        cwd=ROOT,
        env={**account, "PATH": os.environ["PATH"]},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = until(ours, b"Value of /sluice/dev/openai-api-key: ")
        os.write(ours, f"{KEY}\n".encode())
        shown += until(ours, b"version 1")
        assert process.wait() == 0
    os.close(ours)
    assert KEY.encode() not in shown
    assert stored(account, OPENAI_KEY)["Value"] == KEY


def until(terminal: int, expected: bytes) -> bytes:
    shown = b""
    while expected not in shown:
        shown += os.read(terminal, 1024)
    return shown


def test_another_value_is_another_version(run: Run, account: dict[str, str]) -> None:
    arguments = ("set", "forward-key", "--stage", "prod", "--region", "eu-west-1")
    run(*arguments, value="an-older-forward-key")
    _, written = run(*arguments)
    assert written.startswith("Stored /sluice/prod/forward-key in eu-west-1, version 2.\n")
    assert "Running functions use the old value" in written
    assert stored(account, "/sluice/prod/forward-key", "eu-west-1")["Value"] == KEY


def test_list_names_what_is_stored_page_after_page_without_values(run: Run) -> None:
    assert run("list") == (0, "Nothing is stored below /sluice/dev in us-east-1.\n")
    names = [f"/sluice/dev/key-{number:02}" for number in range(12)]  # AWS lists ten at a time
    for name in reversed(names):
        run("set", name)
    run("set", "openai-api-key", "--stage", "prod")
    lines = run("list")[1].splitlines()
    assert [re.sub(r"  [\d: -]+$", "", line) for line in lines] == [
        f"{name}  SecureString  version 1" for name in names
    ]


def test_deleted_key_is_gone(run: Run, account: dict[str, str]) -> None:
    run("set", "openai-api-key")
    deleted = run("delete", "openai-api-key")
    assert deleted == (0, f"Deleted {OPENAI_KEY} in us-east-1.\n")
    with pytest.raises(ClientError, match="ParameterNotFound"):
        stored(account, OPENAI_KEY)
    status, written = run("delete", "openai-api-key")
    assert status == 1
    assert written == (
        f"secrets: AWS did not delete {OPENAI_KEY} in us-east-1 (ParameterNotFound)."
        " `npm run secrets -- list` shows what is stored.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("set", "openai-api-key", KEY), id="value on the command line"),
        pytest.param(("set", "openai-api-key", f"--value={KEY}"), id="value as an option"),
        pytest.param(("set", f"{KEY} "), id="value instead of the name"),
        pytest.param(("set", KEY), id="key instead of the name"),
        pytest.param((KEY,), id="key instead of the command"),
        pytest.param((), id="nothing"),
    ],
)
def test_wrong_command_line_is_not_repeated(arguments: tuple[str, ...]) -> None:
    status, written = run_with(None, *arguments)
    assert status == 1
    assert re.fullmatch(
        r"secrets: (Usage: .*|Unknown option or .*|command: must be .*|The name must be .*)\n",
        written,
    )


class RefusingSession:
    """Refuses as AWS does, in words that hold the value."""

    def client(self, _service: str) -> Any:
        return self

    def put_parameter(self, **parameters: str) -> None:
        document = {"Error": {"Code": "ValidationException", "Message": parameters["Value"]}}
        raise ClientError(document, "PutParameter")


def test_message_of_aws_is_not_repeated_because_it_may_quote_the_value() -> None:
    status, written = run_with(lambda *_: RefusingSession(), "set", "forward-key")
    assert status == 1
    assert "(ValidationException)" in written


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--stage", "a b"), "--stage: must be letters, digits and hyphens."),
        (("set", "openai-api-key", "x"), "A value is never an argument: enter it at the prompt"),
    ],
)
def test_wrong_argument_is_explained(arguments: tuple[str, ...], said: str) -> None:
    assert said in run_with(None, *arguments)[1]


def test_value_is_one_key_or_several() -> None:
    longest = "a" * MAX_VALUE_BYTES
    for text in ("sk-1", "sk-1,sk-2\n", "  k\r\n", longest):
        assert checked_value(text, OPENAI_KEY) == text.strip()
    for text in ("", " \n", "a b", "a, b", "a\nb", 'a"b', "ä", longest + "a"):
        with pytest.raises(ToolError, match=r"^The value (must be|is too long)") as caught:
            checked_value(text, OPENAI_KEY)
        assert len(text) < 4 or text not in str(caught.value)


def test_weak_key_is_not_stored(run: Run) -> None:
    short = (
        "secrets: The value must hold keys of at least 16 characters."
        " Make one with `openssl rand -hex 24`.\n"
    )
    for name in ("forward-key", "/other/forward-key"):
        for value in ("a", "my-key", f"{KEY},my-key"):
            assert run("set", name, value=value) == (1, short)
    status, written = run("set", "openai-api-key", value="1234567890123456")
    assert (status, written.count("must hold no number")) == (1, 1)
    assert run("list")[1].startswith("Nothing is stored")


def test_names_are_those_of_serverless_yml() -> None:
    service = (ROOT / "serverless.yml").read_text()
    assert f"service: {SERVICE}\n" in service
    assert f"stage: ${{opt:stage, '{DEFAULT_STAGE}'}}" in service
    assert f"region: ${{opt:region, '{DEFAULT_REGION}'}}" in service
    for name in ("openai-api-key", "forward-key"):
        assert parameter_name(name, "STAGE").replace("STAGE", "${sls:stage}") in service
    for name in ("openai", "sluice/dev/key", "/a b", "/", ""):
        with pytest.raises(ToolError):
            parameter_name(name, "dev")
