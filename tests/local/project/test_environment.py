"""Environment variables of children."""

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
    function_arn,
    function_environment,
    lambda_environment,
    upstream_host,
    user_credentials,
)
from local.project.serverless_yml import FunctionSettings

PLACE = LocalPlace("127.0.0.1", 3000, 3001)
FOLDER = Path("/service")


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


def test_shell_beats_dotenv_which_beats_serverless_yml() -> None:
    made = function_environment(
        function(A="yml", B="yml", C="yml"),
        user({"A": "env", "B": "env"}, A="shell"),
        PLACE,
        FOLDER,
    )
    assert (made["A"], made["B"], made["C"]) == ("shell", "env", "yml")


@pytest.mark.parametrize(
    "name",
    ["npm_config_x", "NODE_OPTIONS", "PYTHONPATH", "VIRTUAL_ENV", "AWS_PROFILE", "AWS_REGION"],
)
def test_settings_of_this_process_are_not_inherited(name: str) -> None:
    assert name not in function_environment(function(), user(None, **{name: "x"}), PLACE, FOLDER)


def test_local_stack_sets_what_only_it_knows() -> None:
    made = function_environment(function(OPENAI_API_KEY_PARAMETER="/a"), user(), PLACE, FOLDER)
    assert made["API_GW_ENDPOINT"] == "http://127.0.0.1:3001"
    assert made["OPENAI_API_KEY_PARAMETER"] == ""
    assert made["FORWARD_KEY_PARAMETER"] == ""
    assert made["WEBSOCKET_AUTH"] == "none"
    assert made["FUNCTION_URL_AUTH"] == "aws_iam"


def test_users_own_settings_are_kept() -> None:
    settings = user(
        {"OPENAI_API_KEY_PARAMETER": "/mine"},
        API_GW_ENDPOINT="http://elsewhere",
        WEBSOCKET_AUTH="aws_iam",
        FUNCTION_URL_AUTH="none",
    )
    made = function_environment(function(FUNCTION_URL_AUTH="aws_iam"), settings, PLACE, FOLDER)
    assert made["API_GW_ENDPOINT"] == "http://elsewhere"
    assert made["OPENAI_API_KEY_PARAMETER"] == "/mine"
    assert made["WEBSOCKET_AUTH"] == "aws_iam"
    assert made["FUNCTION_URL_AUTH"] == "none"


@pytest.mark.parametrize(
    ("own", "file"),
    [
        ("", "/service/.state/sluice.sqlite3"),
        (" ", "/service/.state/sluice.sqlite3"),
        ("mine/state.sqlite3", "/service/mine/state.sqlite3"),
        ("/mine/state.sqlite3", "/mine/state.sqlite3"),
    ],
)
def test_state_is_in_a_file_below_the_service_or_where_the_user_says(own: str, file: str) -> None:
    made = function_environment(function(), user({"STATE_FILE": own}), PLACE, FOLDER)
    assert made["STATE_FILE"] == file


def test_table_in_an_account_is_not_for_this_machine() -> None:
    made = function_environment(
        function(STATE_TABLE="yml"), user({"STATE_TABLE": "a"}, STATE_TABLE="b"), PLACE, FOLDER
    )
    assert made["STATE_TABLE"] == ""


def test_websocket_auth_is_left_alone_beyond_loopback() -> None:
    place = LocalPlace("0.0.0.0", 1, 2)  # noqa: S104
    made = function_environment(function(WEBSOCKET_AUTH="forward_key"), user(), place, FOLDER)
    assert made["WEBSOCKET_AUTH"] == "forward_key"
    assert made["API_GW_ENDPOINT"] == "http://127.0.0.1:2"


def test_demo_model_is_the_upstream_when_it_runs() -> None:
    place = LocalPlace("::1", 1, 2, "http://127.0.0.1:9/v1")
    made = function_environment(function(OPENAI_BASE_URL="https://real"), user(), place, FOLDER)
    assert made["OPENAI_BASE_URL"] == "http://127.0.0.1:9/v1"
    assert made["OPENAI_API_KEY"] == DEMO_KEY
    assert made["API_GW_ENDPOINT"] == "http://[::1]:2"


def test_demo_models_key_is_in_no_answer_of_it() -> None:
    asked = ChatRequest(model="demo", question="", stream=False, include_usage=False)
    assert DEMO_KEY not in answer_text(asked)


@pytest.mark.parametrize(
    ("shell", "wanted"),
    [
        ({}, True),
        ({"OPENAI_API_KEY": ""}, True),
        ({"OPENAI_API_KEY": " , "}, True),
        ({"OPENAI_BASE_URL": " "}, True),
        ({"OPENAI_API_KEY": ",x"}, False),
        ({"OPENAI_API_KEY": "x"}, False),
        ({"OPENAI_BASE_URL": "http://127.0.0.1"}, False),
        ({"OPENAI_API_KEY_PARAMETER": "/x"}, False),
    ],
)
def test_demo_model_stands_in_when_no_upstream_is_named(
    shell: dict[str, str],
    wanted: bool,  # noqa: FBT001
) -> None:
    assert UserSettings(shell, {}).wants_demo_model() is wanted


def test_empty_value_in_the_shell_beats_dotenv() -> None:
    settings = UserSettings({"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": "x"})
    assert settings.wants_demo_model()


def test_lambda_sets_its_own_variables() -> None:
    made = lambda_environment(function(), "python3.13", "/task", "log", Credentials("a", "b", "t"))
    assert made["_HANDLER"] == "functions/stream/handler.handler"
    assert made["LAMBDA_TASK_ROOT"] == "/task"
    assert made["AWS_LAMBDA_FUNCTION_NAME"] == "sluice-dev-stream"
    assert made["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert made["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert (made["AWS_ACCESS_KEY_ID"], made["AWS_SECRET_ACCESS_KEY"]) == ("a", "b")
    assert made["AWS_SESSION_TOKEN"] == "t"
    assert made["AWS_REGION"] == made["AWS_DEFAULT_REGION"] == "us-east-1"


def test_arn_names_the_function() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:sluice-dev-stream"
    assert function_arn(function()) == arn


def test_credentials_are_the_users_or_local() -> None:
    assert user_credentials(user()) == Credentials("local", "local")
    own = user({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"})
    assert user_credentials(own) == Credentials("a", "s")
    assert user_credentials(user(AWS_ACCESS_KEY_ID="a")) == Credentials("local", "local")


def test_secret_is_not_in_the_text_of_credentials() -> None:
    assert "hush" not in repr(Credentials("a", "hush"))


@pytest.mark.parametrize(
    ("environment", "host", "variable"),
    [
        ({"FUNCTION_URL_AUTH": "open"}, "127.0.0.1", "FUNCTION_URL_AUTH must be"),
        ({"FUNCTION_URL_AUTH": "none"}, "127.0.0.1", "FORWARD_KEY"),
        ({"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": ","}, "127.0.0.1", "FORWARD_KEY"),
        ({"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": " , ,"}, "127.0.0.1", "FORWARD_KEY"),
        (
            {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY_PARAMETER": " "},
            "127.0.0.1",
            "FORWARD_KEY",
        ),
        (
            {"FUNCTION_URL_AUTH": "aws_iam", "WEBSOCKET_AUTH": "open"},
            "127.0.0.1",
            "WEBSOCKET_AUTH must be",
        ),
        (
            {"FUNCTION_URL_AUTH": "aws_iam", "WEBSOCKET_AUTH": "none"},
            "0.0.0.0",  # noqa: S104
            "WEBSOCKET_AUTH=none",
        ),
        ({"FUNCTION_URL_AUTH": "aws_iam", "WEBSOCKET_AUTH": "none"}, "myhost", "WEBSOCKET_AUTH"),
    ],
)
def test_open_door_is_refused(environment: dict[str, str], host: str, variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        check_auth(environment, host)


@pytest.mark.parametrize(
    "environment",
    [
        {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": "k"},
        {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": ", k"},
        {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY_PARAMETER": "/k"},
        {"FUNCTION_URL_AUTH": "aws_iam", "WEBSOCKET_AUTH": "forward_key"},
        {"FUNCTION_URL_AUTH": "aws_iam", "WEBSOCKET_AUTH": "none"},
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_closed_door_passes(environment: dict[str, str], host: str) -> None:
    check_auth(environment, host)


def test_upstream_is_told_without_user_or_path() -> None:
    told = upstream_host({"OPENAI_BASE_URL": "https://user:key@api.example.com:8443/v1?k=v"})
    assert told == "https://api.example.com:8443"
    assert upstream_host({}) == "https://api.openai.com"
    assert upstream_host({"OPENAI_BASE_URL": " "}) == "https://api.openai.com"
    assert upstream_host({"OPENAI_BASE_URL": "http://[::1]:80/v1"}) == "http://[::1]:80"


def test_upstream_is_azures_endpoint_where_there_is_one() -> None:
    azure = {"AZURE_OPENAI_ENDPOINT": "https://ours.openai.azure.com/"}
    assert upstream_host(azure) == "https://ours.openai.azure.com"
    assert upstream_host({**azure, "AZURE_OPENAI_PROXY_MODE": "openai"}) == "https://api.openai.com"
    assert not UserSettings(azure, {}).wants_demo_model()


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
def test_upstream_that_is_no_url_is_named_not_quoted(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^OPENAI_BASE_URL: expected") as caught:
        upstream_host({"OPENAI_BASE_URL": url})
    assert "hush" not in str(caught.value)
