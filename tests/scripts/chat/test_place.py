"""What opens the service, by what the command line, the shell and .env say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from local.project.environment import UserSettings
from scripts.access.errors import ToolError
from scripts.chat.command_line import parse
from scripts.chat.place import Place, find_place, ways

PAIR = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
KEY = {"FORWARD_KEY": "fk-one, fk-two"}
KEYED = {"FUNCTION_URL_AUTH": "none", "WEBSOCKET_AUTH": "forward_key"}
SIGNED = {"FUNCTION_URL_AUTH": "aws_iam", "WEBSOCKET_AUTH": "aws_iam"}


def found(
    option: str, shell: Mapping[str, str], dotenv: Mapping[str, str], *, is_local: bool
) -> list[str]:
    """The ways as words: a key, the access key of a signature, or `open`."""
    options = parse(option.split(), {})
    place = Place("http://x", "us-east-1", is_local)
    return [
        way.key or (way.credentials.access_key if way.credentials else "open")
        for way in ways(options, UserSettings(shell, dotenv), place)
    ]


@pytest.mark.parametrize(
    ("option", "shell", "dotenv", "expected"),
    [
        ("--url", {}, {}, ["local"]),
        ("--url", PAIR, {}, ["AKIDEXAMPLE", "local"]),
        ("--url", KEY, {}, ["fk-one", "local"]),
        # The stack reads it, too: signed requests open that stack.
        ("--url", {}, KEY, ["local"]),
        ("--url", {}, KEY | KEYED, ["fk-one"]),
        ("--url", KEY, SIGNED, ["local"]),
        ("--url --key mine", KEY | PAIR, KEYED, ["mine"]),
        ("--ws", {}, {}, ["open"]),
        ("--ws", KEY, {}, ["fk-one", "open"]),
        ("--ws", {}, KEY | KEYED, ["fk-one"]),
        ("--ws", {}, SIGNED, ["local"]),
        ("--ws", PAIR, SIGNED, ["AKIDEXAMPLE", "local"]),
    ],
)
def test_ways_into_the_local_stack(
    option: str, shell: Mapping[str, str], dotenv: Mapping[str, str], expected: list[str]
) -> None:
    assert found(option, shell, dotenv, is_local=True) == expected


@pytest.mark.parametrize("option", ["--url", "--ws"])
def test_ways_into_a_deployment(option: str) -> None:
    for shell, dotenv, expected in (
        (PAIR, {}, ["AKIDEXAMPLE"]),
        (PAIR | KEY, {}, ["fk-one", "AKIDEXAMPLE"]),
        (PAIR, KEY, ["fk-one", "AKIDEXAMPLE"]),
        (PAIR | KEY, SIGNED, ["AKIDEXAMPLE"]),
        (PAIR | KEY, KEYED, ["fk-one"]),
    ):
        assert found(option, shell, dotenv, is_local=False) == expected
    with pytest.raises(ToolError, match="set FORWARD_KEY"):
        found(option, PAIR, KEYED, is_local=False)


def test_api_is_below_the_prefix_of_the_settings_or_of_the_address() -> None:
    prefixed = UserSettings({"OPENAI_ROUTE_PREFIX": "/ai"}, {})
    for url, user, path in (
        ("http://x/v1", UserSettings({}, {}), "/v1"),
        ("http://x", prefixed, "/ai/v1"),
        ("http://x/own", prefixed, "/v1"),
    ):
        assert find_place(parse(["--http-url", url], {}), user).api_path == path


@pytest.mark.parametrize("option", ["--url", "--ws"])
def test_key_that_no_header_can_hold_is_named_and_not_shown(option: str) -> None:
    for key in ("sk-\u2026", "\u043a\u043b\u044e\u0447", "a b"):
        with pytest.raises(ToolError, match="FORWARD_KEY must be printable ASCII") as raised:
            found(option, {"FORWARD_KEY": key}, {}, is_local=True)
        assert key not in str(raised.value)


def test_credentials_are_looked_up_only_when_they_are_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ToolError, match="No key and no AWS credentials"):
        found("--url", {}, {}, is_local=False)
    place = Place("http://x", "us-east-1", is_local=False)
    unknown_profile = {"FORWARD_KEY": "fk", "AWS_PROFILE": "none"}
    first = next(ways(parse([], {}), UserSettings(unknown_profile, {}), place))
    assert first.key == "fk"
