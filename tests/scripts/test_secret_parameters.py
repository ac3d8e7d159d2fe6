"""`npm run secrets` as a process, against moto's Parameter Store."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ProfileNotFound

from scripts.secret_parameters import (
    DEFAULT_REGION,
    DEFAULT_STAGE,
    MAX_VALUE_BYTES,
    SERVICE,
    WrongName,
    WrongValue,
    checked_value,
    main,
    parameter_name,
)

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "scripts.secret_parameters"]
KEY = "sk-a-key-that-nobody-may-see"
OPENAI_KEY = "/sluice/dev/openai-api-key"


def secrets(
    account: Mapping[str, str], *arguments: str, value: str = ""
) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=ROOT,
        env={**account, "PATH": os.environ["PATH"]},
        input=value,
        capture_output=True,
        text=True,
        check=False,
    )
    assert KEY not in finished.stdout + finished.stderr
    return finished


def in_account(account: Mapping[str, str]) -> Callable[..., Any]:
    """boto3.client, as a program in that account has it."""
    return partial(
        boto3.client,
        endpoint_url=account["AWS_ENDPOINT_URL"],
        aws_access_key_id=account["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=account["AWS_SECRET_ACCESS_KEY"],
    )


def stored(account: Mapping[str, str], name: str, region: str = "us-east-1") -> dict[str, Any]:
    client = in_account(account)("ssm", region_name=region)
    try:
        parameter: dict[str, Any] = client.get_parameter(Name=name, WithDecryption=True)[
            "Parameter"
        ]
    finally:
        client.close()
    return parameter


def test_key_is_stored_as_a_secure_string_under_its_stage(account: dict[str, str]) -> None:
    finished = secrets(account, "set", "openai-api-key", value=f"{KEY}\n")
    assert finished.stdout == f"stored {OPENAI_KEY} in us-east-1, version 1\n"
    assert finished.returncode == 0
    parameter = stored(account, OPENAI_KEY)
    assert (parameter["Value"], parameter["Type"]) == (KEY, "SecureString")


def test_another_value_is_another_version(account: dict[str, str]) -> None:
    arguments = ("set", "forward-key", "--stage", "prod", "--region", "eu-west-1")
    secrets(account, *arguments, value="old")
    finished = secrets(account, *arguments, value=KEY)
    assert finished.stdout.startswith("stored /sluice/prod/forward-key in eu-west-1, version 2\n")
    assert "functions that run already use the former value" in finished.stdout
    assert stored(account, "/sluice/prod/forward-key", "eu-west-1")["Value"] == KEY


def test_list_names_what_is_there_without_values(account: dict[str, str]) -> None:
    assert secrets(account, "list").stdout == "nothing is stored below /sluice/dev in us-east-1\n"
    secrets(account, "set", "openai-api-key", value=KEY)
    secrets(account, "set", "/sluice/dev/extra", value=KEY)
    secrets(account, "set", "openai-api-key", "--stage", "prod", value=KEY)
    lines = secrets(account, "list").stdout.splitlines()
    assert [re.sub(r"  [\d: -]+$", "", line) for line in lines] == [
        "/sluice/dev/extra  SecureString  version 1",
        f"{OPENAI_KEY}  SecureString  version 1",
    ]


def test_list_has_every_page(account: dict[str, str]) -> None:
    names = [f"/sluice/dev/key-{number:02}" for number in range(12)]  # AWS gives 10 at once
    for name in names:
        assert run("set", name, connect=in_account(account))[0] == 0
    listed = secrets(account, "list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == names


def test_deleted_key_is_gone(account: dict[str, str]) -> None:
    secrets(account, "set", "openai-api-key", value=KEY)
    finished = secrets(account, "delete", "openai-api-key")
    assert finished.stdout == f"deleted {OPENAI_KEY} in us-east-1\n"
    with pytest.raises(ClientError, match="ParameterNotFound"):
        stored(account, OPENAI_KEY)


def test_key_that_is_not_there_cannot_be_deleted(account: dict[str, str]) -> None:
    finished = secrets(account, "delete", "openai-api-key")
    assert finished.returncode == 1
    assert finished.stderr.startswith(
        f"secrets: expected AWS to delete {OPENAI_KEY} in us-east-1, found ParameterNotFound: check"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("set", "openai-api-key", KEY), id="value on the command line"),
        pytest.param(("set", "openai-api-key", f"--value={KEY}"), id="value as an option"),
        pytest.param(("set", f"{KEY} "), id="value in place of the name"),
        pytest.param(("set", KEY), id="key in place of the name"),
        pytest.param((KEY,), id="key in place of the command"),
        pytest.param((), id="nothing"),
    ],
)
def test_wrong_command_line_is_not_repeated(
    account: dict[str, str], arguments: tuple[str, ...]
) -> None:
    finished = secrets(account, *arguments)
    assert finished.returncode == 1
    assert finished.stderr.startswith("secrets: expected ")
    assert finished.stderr.count("\n") == 1


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


class ClientInNoAccount:
    """Refuses as AWS does, in words that hold the value."""

    def put_parameter(self, **parameters: str) -> None:
        document = {"Error": {"Code": "ValidationException", "Message": parameters["Value"]}}
        raise ClientError(document, "PutParameter")


def run(*arguments: str, connect: Any, value: str = KEY) -> tuple[int, str]:
    """Run it in this process; return its exit code and all that it wrote."""
    written = io.StringIO()
    return main(
        arguments, io.StringIO(value), written, written, connect=connect
    ), written.getvalue()


def test_words_of_aws_are_not_repeated_because_they_may_quote_the_value() -> None:
    status, written = run("set", "forward-key", connect=lambda *_, **__: ClientInNoAccount())
    assert status == 1
    assert KEY not in written
    assert "found ValidationException" in written


def test_wrong_profile_is_a_sentence() -> None:
    def connect(*_: str, **__: str) -> Any:
        raise ProfileNotFound(profile="mine")

    status, written = run("list", connect=connect)
    assert (status, written.count("\n")) == (1, 1)
    assert "found ProfileNotFound: check the region, the credentials (AWS_PROFILE)" in written


@pytest.mark.parametrize(
    ("text", "value"),
    [("sk-1", "sk-1"), ("sk-1,sk-2\n", "sk-1,sk-2"), ("  k\r\n", "k"), ("a" * 4096, "a" * 4096)],
)
def test_value_is_one_key_or_several(text: str, value: str) -> None:
    assert checked_value(text) == value


@pytest.mark.parametrize("text", ["", " \n", "a b", "a, b", "a\nb", 'a"b', "ä", "a" * 4097])
def test_value_that_no_key_has_is_refused(text: str) -> None:
    with pytest.raises(WrongValue) as caught:
        checked_value(text)
    assert len(text) < 4 or text not in str(caught.value)
    assert MAX_VALUE_BYTES == 4096


def test_names_are_those_of_serverless_yml() -> None:
    service = (ROOT / "serverless.yml").read_text()
    assert f"service: {SERVICE}\n" in service
    assert f"stage: ${{opt:stage, '{DEFAULT_STAGE}'}}" in service
    assert f"region: ${{opt:region, '{DEFAULT_REGION}'}}" in service
    for name in ("openai-api-key", "forward-key"):
        assert parameter_name(name, "STAGE").replace("STAGE", "${sls:stage}") in service


@pytest.mark.parametrize("name", ["openai", "sluice/dev/key", "/a b", "/", ""])
def test_name_that_no_parameter_has_is_refused(name: str) -> None:
    with pytest.raises(WrongName):
        parameter_name(name, "dev")
