"""What packaging says of settings that functions refuse."""

from __future__ import annotations

import pytest

from scripts.deployed_settings import check
from sluice.errors import SettingsError

AS_PACKAGED = {
    "OPENAI_BASE_URL": "https://api.openai.com/v1",
    "WEBSOCKET_AUTH": "forward_key",
    "OPENAI_API_KEY_PARAMETER": "/sluice/dev/openai-api-key",
    "STATE_TABLE": {"Ref": "StateTable"},
    "PROMPT_HAIKU": "You answer with one haiku.",
    "RESERVED_CONCURRENCY": "none",
}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"WEBSOCKET_AUTH": "aws_iam"},
        {"EXTRA_API_KEY_PARAMETER": "/a/b, -"}
        | {
            "EXTRA_BASE_URL": "https://a.example, http://[::1]:8/v1/",
            "EXTRA_ROUTE_PREFIX": "/a,/b",
        },
        {"AZURE_OPENAI_TOKEN_PARAMETER": "/azure"},
        {"OPENAI_BASE_URL": "", "AZURE_OPENAI_ENDPOINT": ""},
        {"BEDROCK_MODELS": "a.b-1:0,arn:aws:bedrock:r:1:x/y"},
        {"UPSTREAM_AUTH": "aws_sigv4"},
        {"ALARM_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:on-call"},
        {"RESERVED_CONCURRENCY": "50"},
    ],
    ids=str,
)
def test_settings_that_functions_take_pass(settings: dict[str, str]) -> None:
    check({**AS_PACKAGED, **settings})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WEBSOCKET_AUTH", "iam"),
        ("FUNCTION_URL_AUTH", "NONE"),
        ("FORWARD_KEY_PARAMETER", "forward-key"),
        ("FORWARD_KEY", "sk-secret"),
        ("OPENAI_API_KEY_PARAMETER", "/sluice/*"),
        ("OPENAI_API_KEY_PARAMETER", "sk-secret"),
        ("AZURE_OPENAI_TOKEN_PARAMETER", "token"),
        ("EXTRA_API_KEY_PARAMETER", "/a,b"),
        ("BEDROCK_MODELS", "openai.*"),
        ("OPENAI_BASE_URL", "https://me:sk-secret@api.example/v1"),
        ("EXTRA_BASE_URL", "https://a.example,https://b.example/v1?key=sk-secret"),
        ("EXTRA_ROUTE_PREFIX", "/one-without-a-url"),
        ("AZURE_OPENAI_ENDPOINT", "name.openai.azure.com"),
        ("AZURE_OPENAI_ENDPOINT", "https://name.openai.azure.com/other"),
        ("UPSTREAM_RETRIES", "many"),
        ("ALARM_TOPIC_ARN", "on-call"),
        ("RESERVED_CONCURRENCY", "0"),
        ("RESERVED_CONCURRENCY", "many"),
        ("WEBSOCKET_RATE", "0"),
        ("WEBSOCKET_BURST", "1.5"),
    ],
)
def test_wrong_setting_is_named_and_no_secret_is_quoted(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check({**AS_PACKAGED, variable: value})
    assert caught.value.variable == variable
    assert "sk-secret" not in caught.value.message
    assert "\n" not in caught.value.message


def test_options_of_a_deployment_have_their_defaults_where_they_are_empty() -> None:
    options = check({**AS_PACKAGED, "RESERVED_CONCURRENCY": "", "WEBSOCKET_RATE": " "})
    assert (options["RESERVED_CONCURRENCY"], options["WEBSOCKET_RATE"]) == ("none", 50)
    options = check({**AS_PACKAGED, "RESERVED_CONCURRENCY": "7", "WEBSOCKET_BURST": "9"})
    assert (options["RESERVED_CONCURRENCY"], options["WEBSOCKET_BURST"]) == ("7", 9)
    assert "OPENAI_BASE_URL" not in options
