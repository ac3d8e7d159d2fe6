"""The environment variables of the functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.demo_model import ChatRequest, answer_text
from local.errors import ConfigurationError
from local.project.environment import (
    DEMO_KEY,
    Credentials,
    LocalPlace,
    UserSettings,
    check_auth,
    check_upstream,
    function_arn,
    function_environment,
    lambda_environment,
    unencrypted,
    upstream_url,
    user_credentials,
)
from local.project.serverless_yml import FunctionSettings

PLACE = LocalPlace("127.0.0.1", 3000, 3001)
EVERYWHERE = "0.0.0.0"  # noqa: S104
FOLDER = Path("/service")
DEMO_URL = "http://127.0.0.1:9/v1"
MINE = {
    "OPENAI_API_KEY_PARAMETER": "/mine",
    "API_GW_ENDPOINT": "http://127.0.0.2:9",
    "WEBSOCKET_AUTH": "aws_iam",
    "FUNCTION_URL_AUTH": "none",
}


def function(**environment: str) -> FunctionSettings:
    return FunctionSettings(
        key="stream",
        name="sluice-dev-stream",
        handler="functions/stream/handler.handler",
        timeout_s=900,
        memory_mb=512,
        environment=environment,
        layers=(Path("layers/runtime"),),
        routes=(),
        has_url=True,
    )


def user(dotenv: dict[str, str] | None = None, **shell: str) -> UserSettings:
    return UserSettings(shell, dotenv or {})


@pytest.mark.parametrize(
    ("yml", "settings", "place", "expected"),
    [
        # Shell over .env over serverless.yml.
        (
            {"A": "yml", "B": "yml", "C": "yml"},
            user({"A": "env", "B": "env"}, A="shell"),
            PLACE,
            {"A": "shell", "B": "env", "C": "yml"},
        ),
        # What only the stack knows.
        (
            {"OPENAI_API_KEY_PARAMETER": "/a"},
            user(),
            PLACE,
            {
                "API_GW_ENDPOINT": "http://127.0.0.1:3001",
                "OPENAI_API_KEY_PARAMETER": "",
                "FORWARD_KEY_PARAMETER": "",
                "WEBSOCKET_AUTH": "none",
                "FUNCTION_URL_AUTH": "aws_iam",
            },
        ),
        # The user's own settings.
        ({"FUNCTION_URL_AUTH": "aws_iam"}, user(MINE), PLACE, MINE),
        # Another machine's API has none of the connections.
        (
            {},
            user(API_GW_ENDPOINT="https://a.execute-api.us-east-1.amazonaws.com/dev"),
            PLACE,
            {"API_GW_ENDPOINT": "http://127.0.0.1:3001"},
        ),
        # A deployed table is never used here.
        ({"STATE_TABLE": "yml"}, user({"STATE_TABLE": "a"}, STATE_TABLE="b"), PLACE, {}),
        # WEBSOCKET_AUTH keeps its value if the host is not loopback.
        (
            {"WEBSOCKET_AUTH": "forward_key"},
            user(),
            LocalPlace(EVERYWHERE, 1, 2),
            {"WEBSOCKET_AUTH": "forward_key", "API_GW_ENDPOINT": "http://127.0.0.1:2"},
        ),
        # A running demo model is the upstream.
        (
            {"OPENAI_BASE_URL": "https://real"},
            user(),
            LocalPlace("::1", 1, 2, DEMO_URL),
            {
                "OPENAI_BASE_URL": DEMO_URL,
                "OPENAI_API_KEY": DEMO_KEY,
                "API_GW_ENDPOINT": "http://[::1]:2",
            },
        ),
    ],
)
def test_environment_of_a_function(
    yml: dict[str, str], settings: UserSettings, place: LocalPlace, expected: dict[str, str]
) -> None:
    made = function_environment(function(**yml), settings, place, FOLDER)
    assert made | expected | {"STATE_TABLE": ""} == made


@pytest.mark.parametrize(
    "name",
    ["npm_config_x", "NODE_OPTIONS", "PYTHONPATH", "VIRTUAL_ENV", "AWS_PROFILE", "AWS_REGION"],
)
def test_settings_of_this_process_are_not_inherited(name: str) -> None:
    assert name not in function_environment(function(), user(None, **{name: "x"}), PLACE, FOLDER)


@pytest.mark.parametrize(
    ("own", "file"),
    [
        ("", "/service/.state/sluice.sqlite3"),
        (" ", "/service/.state/sluice.sqlite3"),
        ("mine/state.sqlite3", "/service/mine/state.sqlite3"),
        ("/mine/state.sqlite3", "/mine/state.sqlite3"),
    ],
)
def test_state_is_in_a_file_of_the_service_or_of_the_user(own: str, file: str) -> None:
    made = function_environment(function(), user({"STATE_FILE": own}), PLACE, FOLDER)
    assert made["STATE_FILE"] == file


@pytest.mark.parametrize(
    ("settings", "file"),
    [
        ({}, ""),
        ({"LOG_CHAT": "false", "LOG_CHAT_FILE": "x"}, ""),
        ({"LOG_CHAT": " True "}, "/service/.state/chat.jsonl"),
        ({"LOG_CHAT": "true", "LOG_CHAT_FILE": "mine.jsonl"}, "/service/mine.jsonl"),
        ({"LOG_CHAT": "true", "LOG_CHAT_FILE": "/mine.jsonl"}, "/mine.jsonl"),
    ],
)
def test_chat_log_has_a_file_only_if_it_is_on(settings: dict[str, str], file: str) -> None:
    made = function_environment(function(), user(settings), PLACE, FOLDER)
    assert made["LOG_CHAT_FILE"] == file


def test_answers_of_the_demo_model_never_hold_its_key() -> None:
    request = ChatRequest(model="demo", question="", stream=False, include_usage=False)
    assert DEMO_KEY not in answer_text(request)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (user(), True),
        (user(OPENAI_API_KEY=""), True),
        (user(OPENAI_API_KEY=" , "), True),
        (user(OPENAI_BASE_URL=" "), True),
        (user({"OPENAI_API_KEY": "x"}, OPENAI_API_KEY=""), True),
        (user(OPENAI_API_KEY="local"), True),
        (user(OPENAI_API_KEY="local", OPENAI_BASE_URL="http://127.0.0.1"), False),
        (user(OPENAI_API_KEY="local,x"), False),
        (user(OPENAI_API_KEY=",x"), False),
        (user(OPENAI_API_KEY="x"), False),
        (user(OPENAI_BASE_URL="http://127.0.0.1"), False),
        (user(OPENAI_API_KEY_PARAMETER="/x"), False),
        (user(AZURE_OPENAI_ENDPOINT="https://ours.openai.azure.com"), False),
    ],
)
def test_demo_model_runs_if_no_upstream_is_named(settings: UserSettings, *, expected: bool) -> None:
    assert settings.wants_demo_model() is expected


def test_lambda_sets_its_own_variables() -> None:
    made = lambda_environment(function(), "python3.13", "/task", "log", Credentials("a", "b", "t"))
    expected = {
        "_HANDLER": "functions/stream/handler.handler",
        "LAMBDA_TASK_ROOT": "/task",
        "AWS_LAMBDA_FUNCTION_NAME": "sluice-dev-stream",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_SESSION_TOKEN": "t",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    assert made | expected == made
    arn = "arn:aws:lambda:us-east-1:123456789012:function:sluice-dev-stream"
    assert function_arn(function()) == arn


def test_credentials_are_the_users_or_local_and_show_no_secret() -> None:
    settings = user({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hush"})
    own = user_credentials(settings, EVERYWHERE)
    assert own == Credentials("a", "hush")
    assert "hush" not in repr(own)
    for settings in (user(), user(AWS_ACCESS_KEY_ID="a"), user(WELL_KNOWN_PAIR)):
        assert not settings.has_own_keys()
        assert user_credentials(settings, "localhost") == Credentials("local", "local")
        # Beyond loopback nobody knows the secret by which the functions sign.
        assert not user_credentials(settings, EVERYWHERE).is_well_known()


WELL_KNOWN_PAIR = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
OPEN = {"FUNCTION_URL_AUTH": "none"}
SIGNED = {"FUNCTION_URL_AUTH": "aws_iam"}


@pytest.mark.parametrize(
    ("environment", "host", "message"),
    [
        ({"FUNCTION_URL_AUTH": "open"}, "127.0.0.1", "FUNCTION_URL_AUTH must be"),
        (OPEN, "127.0.0.1", "requires FORWARD_KEY"),
        ({**OPEN, "FORWARD_KEY": ","}, "127.0.0.1", "requires FORWARD_KEY"),
        ({**OPEN, "FORWARD_KEY": " , ,"}, "127.0.0.1", "requires FORWARD_KEY"),
        ({**OPEN, "FORWARD_KEY_PARAMETER": " "}, "127.0.0.1", "requires FORWARD_KEY"),
        ({**SIGNED, "WEBSOCKET_AUTH": "open"}, "127.0.0.1", "WEBSOCKET_AUTH must be"),
        ({**SIGNED, "WEBSOCKET_AUTH": "none"}, EVERYWHERE, "WEBSOCKET_AUTH=none is allowed"),
        ({**SIGNED, "WEBSOCKET_AUTH": "none"}, "myhost", "WEBSOCKET_AUTH=none is allowed"),
        ({**SIGNED, "WEBSOCKET_AUTH": "forward_key"}, EVERYWHERE, "Set AWS_ACCESS_KEY_ID and"),
        ({**OPEN, "FORWARD_KEY": "k", "WEBSOCKET_AUTH": "aws_iam"}, "192.168.1.7", "local:local"),
    ],
)
def test_settings_that_accept_every_client_are_rejected(
    environment: dict[str, str], host: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_auth(environment, host, has_own_keys=False)


@pytest.mark.parametrize(
    "environment",
    [
        {**OPEN, "FORWARD_KEY": "k"},
        {**OPEN, "FORWARD_KEY": ", k"},
        {**OPEN, "FORWARD_KEY_PARAMETER": "/k"},
        {**SIGNED, "WEBSOCKET_AUTH": "forward_key"},
        {**SIGNED, "WEBSOCKET_AUTH": "none"},
    ],
)
def test_settings_that_require_a_key_or_loopback_are_accepted(environment: dict[str, str]) -> None:
    for host in ("127.0.0.1", "LocalHost", "::1"):
        check_auth(environment, host, has_own_keys=False)


@pytest.mark.parametrize(
    ("url_auth", "websocket_auth", "has_own_keys"),
    [
        (SIGNED, "forward_key", True),
        (SIGNED, "aws_iam", True),
        ({**OPEN, "FORWARD_KEY": "k"}, "forward_key", False),
    ],
)
def test_service_may_listen_everywhere_if_no_client_needs_the_well_known_pair(
    url_auth: dict[str, str], websocket_auth: str, *, has_own_keys: bool
) -> None:
    environment = {**url_auth, "WEBSOCKET_AUTH": websocket_auth}
    check_auth(environment, EVERYWHERE, has_own_keys=has_own_keys)


AZURE = {"AZURE_OPENAI_ENDPOINT": "https://ours.openai.azure.com/"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {"OPENAI_BASE_URL": "https://user:key@api.example.com:8443/v1?k=v"},
            "https://api.example.com:8443/v1",
        ),
        ({}, "https://api.openai.com/v1"),
        ({"OPENAI_BASE_URL": " "}, "https://api.openai.com/v1"),
        ({"OPENAI_BASE_URL": "http://[::1]:80"}, "http://[::1]:80/v1"),
        ({"OPENAI_BASE_URL": "http://[::1]:80/"}, "http://[::1]:80"),
        ({"OPENAI_BASE_URL": "https://h/api/sk-1/v1"}, "https://h/api/…/v1"),
        ({"OPENAI_BASE_URL": f"https://h/{'a1' * 16}/v1/"}, "https://h/…/v1"),
        (AZURE, "https://ours.openai.azure.com"),
        ({**AZURE, "AZURE_OPENAI_PROXY_MODE": "openai"}, "https://api.openai.com/v1"),
    ],
)
def test_upstream_is_shown_with_its_path_and_without_keys(
    environment: dict[str, str], expected: str
) -> None:
    assert upstream_url(environment) == expected


def test_upstream_must_not_be_the_stack_itself() -> None:
    here = (
        "127.0.0.1:3000",
        "LOCALHOST:3000/v1",
        "[::1]:3001",
        "0.0.0.0:3000",
        "u:p@127.0.0.1:3000/openai/v1/",
    )
    for name in ("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "EXTRA_BASE_URL"):
        for address in here:
            with pytest.raises(ConfigurationError, match=f"{name} is the address of this stack"):
                check_upstream({name: f"http://{address}"}, PLACE)
        check_upstream({name: "http://127.0.0.1:11434/v1, http://10.0.0.1:3000,http://["}, PLACE)
    with pytest.raises(ConfigurationError):
        check_upstream({"OPENAI_BASE_URL": "http://10.0.0.1:1"}, LocalPlace("10.0.0.1", 1, 2))


def test_http_of_another_machine_is_unencrypted() -> None:
    here = "http://127.0.0.1:8/v1, http://[::1]:9,http://localhost"
    there = "http://192.168.0.9:11434/v1"
    assert unencrypted({"OPENAI_BASE_URL": here, "EXTRA_BASE_URL": "https://x,-"}) == ()
    environment = {"OPENAI_BASE_URL": there, "EXTRA_BASE_URL": f"{here}, {there},{there}"}
    assert unencrypted(environment) == ("OPENAI_BASE_URL", "EXTRA_BASE_URL")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999/hush",
        "http://127.0.0.1:0/hush",
        "http://user:hush/x@host",
        "http://[::1/hush",
        "http:///hush",
        "api.example.com/hush",
        "ftp://api.example.com/hush",
    ],
)
def test_invalid_upstream_is_named_but_not_quoted(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^OPENAI_BASE_URL must start") as caught:
        upstream_url({"OPENAI_BASE_URL": url})
    assert "hush" not in str(caught.value)
