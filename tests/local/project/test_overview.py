"""What the banner says of the settings."""

from __future__ import annotations

import pytest

from local.project.overview import DEFAULT_CACHE_TTL, DEFAULT_MODEL, overview, upstream
from sluice import settings

UNSET = (
    ("Route prefix", "/"),
    ("Keys", "no API keys, no forward keys"),
    ("Cache", "off"),
    ("Limits", "none"),
)
AZURE = {"AZURE_OPENAI_ENDPOINT": "https://ours.openai.azure.com"}


def test_default_model_is_that_of_the_functions() -> None:
    assert DEFAULT_MODEL == settings.DEFAULT_MODEL


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, f"https://api.openai.com/v1 (model {DEFAULT_MODEL})"),
        (
            {"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1/", "OPENAI_MODEL": "llama"},
            "http://127.0.0.1:11434/v1 (model llama)",
        ),
        (AZURE, "https://ours.openai.azure.com"),
    ],
)
def test_upstream_is_shown_with_its_model(environment: dict[str, str], shown: str) -> None:
    assert upstream(environment) == shown


@pytest.mark.parametrize(
    ("environment", "row"),
    [
        ({"OPENAI_ROUTE_PREFIX": "openai/"}, ("Route prefix", "/openai")),
        (
            {"EXTRA_BASE_URL": "https://user:pw@a.example/v1", "EXTRA_ROUTE_PREFIX": "/a"},
            ("Further API", "https://a.example/v1 at /a"),
        ),
        (
            {"OPENAI_API_KEY": "sk-one, sk-two", "FORWARD_KEY": "fk-one"},
            ("Keys", "2 API keys, 1 forward key"),
        ),
        (
            {**AZURE, "AZURE_OPENAI_TOKEN": '["t"]', "FORWARD_KEY_PARAMETER": "/fk"},
            ("Keys", "1 API key, forward keys from SSM"),
        ),
    ],
)
def test_prefixes_and_numbers_of_keys_are_shown(
    environment: dict[str, str], row: tuple[str, str]
) -> None:
    assert [each for each in overview(environment) if each not in UNSET] == [row]


def test_cache_is_shown_with_its_settings() -> None:
    on = {"CACHE_CHAT_COMPLETION": "true"}
    assert str(settings.read_settings({}).cache_ttl_s) == DEFAULT_CACHE_TTL
    for environment, shown in (
        (on, "SQLITE, 1 day, per principal"),
        ({**on, "CACHE_BACKEND": "lmdb", "CACHE_TTL": "7200"}, "LMDB, 2 hours, per principal"),
        ({**on, "CACHE_TTL": "90", "CACHE_SCOPE": "all"}, "SQLITE, 90 seconds, for all"),
        ({**on, "CACHE_TTL": "soon"}, "SQLITE, soon seconds, per principal"),
        ({"CACHE_CHAT_COMPLETION": "false", "CACHE_BACKEND": "LMDB"}, "off"),
    ):
        assert dict(overview(environment))["Cache"] == shown


def test_each_limit_has_a_row() -> None:
    environment = {
        "REQ_RATE_LIMIT": '{"/v1/chat": "9/day;1/second", "/v1": [{"level": 0, "limit": "9/day"}]}',
        "GLOBAL_RATE_LIMIT": "60/minute",
        "TOKEN_RATE_LIMIT": '{"/v1/chat": "60/second"}',
        "IP_WHITELIST": "10.0.0.0/8",
        "IP_BLACKLIST": '["10.0.0.1", "10.0.0.2"]',
    }
    assert overview(environment) == (
        *UNSET[:-1],
        ("Limit", "/v1/chat: 9/day;1/second requests"),
        ("Limit", "/v1: 9/day requests"),
        ("Limit", "other paths: 60/minute requests"),
        ("Strategy", "fixed-window"),
        ("Pace", "/v1/chat: 60/second events of a stream"),
        ("Addresses", "only 10.0.0.0/8"),
        ("Addresses", "never 10.0.0.1, 10.0.0.2"),
    )
    alone = {"GLOBAL_RATE_LIMIT": "1/hour", "RATE_LIMIT_STRATEGY": "moving-window"}
    assert overview(alone)[-2:] == (
        ("Limit", "all paths: 1/hour requests"),
        ("Strategy", "moving-window"),
    )


@pytest.mark.parametrize(
    "environment",
    [{}, {"GLOBAL_RATE_LIMIT": "inf"}, {"REQ_RATE_LIMIT": "100/minute", "TOKEN_RATE_LIMIT": "[1]"}],
)
def test_without_a_valid_limit_none_is_shown(environment: dict[str, str]) -> None:
    assert overview(environment) == UNSET
