"""Which variables are named as ignored, with what instead, and which stop the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.project.dotenv_file import read_dotenv
from local.project.ignored_variables import distance, ignored, refusal, warning
from local.project.known_variables import NOT_MISSPELLED, OWN
from local.project.known_variables import PROTECTING as SETTINGS_THAT_PROTECT

EXAMPLE = Path(__file__).parents[2] / "data" / "openai_forward" / "env.example"

# Each is named wherever it is set, with what to use.
NAMED = {
    "LEVEL_MODELS": "npm run keys",
    "FORWARD_KEY_CONFIG": "npm run keys",
    "OPENAI_API_KEY_CONFIG": "OPENAI_API_KEY",
    "FORWARD_CONFIG": "EXTRA_BASE_URL",
    "LOG_OPENAI": "LOG_CHAT=true",
    "BASE_URL_EXTRA": "EXTRA_BASE_URL",
    "AZURE_OPENAI_API_VER": "AZURE_OPENAI_APIVERSION",
    "AZURE_OPENAI_SOCKS_PROXY": "PROXY",
    "LITELLM_MASTER_KEY": "FORWARD_KEY",
    "LITELLM_DROP_PARAMS": "docs/migrate.md",
    "STORE_MODEL_IN_DB": "DynamoDB",
    "AWS_REGION_NAME": "UPSTREAM_AWS_REGION",
    "AZURE_API_BASE": "AZURE_OPENAI_ENDPOINT",
    "OPENAI_API_BASE": "OPENAI_BASE_URL",
    "AZURE_OPENAI_API_KEY": "AZURE_OPENAI_TOKEN",
    # Misspelled: letters, underscores, case.
    "OPENAI_APIKEY": "OPENAI_API_KEY",
    "openai_api_key": "OPENAI_API_KEY",
    "OPENAI-BASE-URL": "OPENAI_BASE_URL",
    "OPENAI_BASE_URI": "OPENAI_BASE_URL",
    "FORWARD_KEYS": "FORWARD_KEY",
    "FOWRARD_KEY": "FORWARD_KEY",
    "IP_WHTIELST": "IP_WHITELIST",
    "IP_BLOCKLIST": "IP_BLACKLIST",
    "GLOBL_RATE_LIMITS": "GLOBAL_RATE_LIMIT",
    "AZURE_OPENAI_API_VERSION": "AZURE_OPENAI_APIVERSION",
    "SLUICE_FORWARD_KEY": "FORWARD_KEY",
    "AZURE_OPENAI_KEY": "AZURE_OPENAI_TOKEN",
    "PROMPT_TEMPLATE": "PROMPT_TEMPLATES",
    "UPSTREAM_RETRY": "",  # too far from UPSTREAM_RETRIES
}
PROTECTING = {
    *("LEVEL_MODELS", "FORWARD_KEY_CONFIG", "OPENAI_API_KEY_CONFIG", "LITELLM_MASTER_KEY"),
    *("SLUICE_FORWARD_KEY", "PROMPT_TEMPLATE"),
    *("FORWARD_KEYS", "FOWRARD_KEY", "IP_WHTIELST", "IP_BLOCKLIST", "GLOBL_RATE_LIMITS"),
}
# In a shell they may be anyone's; in .env they are for this gateway.
SHARED = {
    "TZ": "openai-forward",
    "TIMEOUT": "UPSTREAM_CONNECT_TIMEOUT",
    "RATE_LIMIT": "GLOBAL_RATE_LIMIT",
    "DATABASE_URL": "LiteLLM",
    "REDIS_HOST": "LiteLLM",
    "ANTHROPIC_API_KEY": "EXTRA_API_KEY",
    "REPLICATE_API_TOKEN": "EXTRA_API_KEY",
    "OPENAI_KEY": "OPENAI_API_KEY",
    "UPSTREAM_WRITE_READ_TIMEOUT": "UPSTREAM_READ_TIMEOUT",
    "LITELLM_LOG": "docs/migrate.md",
    "CORS_ALLOWED_ORIGINS": "CORS_ALLOW_ORIGINS",
    "OPENAI_ENDPOINT": "OPENAI_BASE_URL",
    "AZURE_OPENAI_DEPLOYMENT": "AZURE_OPENAI_MODEL_MAPPER",
    **dict.fromkeys(("MAX_BUDGET", "TPM_LIMIT", "MAX_PARALLEL_REQUESTS"), "npm run keys"),
    **dict.fromkeys(("REQUEST_RATE_LIMIT", "RATE_LIMITS"), "REQ_RATE_LIMIT"),
    "WHITELIST": "IP_WHITELIST",
    "BLACKLIST_IPS": "IP_BLACKLIST",
}
SHARED_AND_PROTECTING = {
    *("RATE_LIMIT", "RATE_LIMITS", "REQUEST_RATE_LIMIT", "WHITELIST", "BLACKLIST_IPS"),
    *("MAX_BUDGET", "TPM_LIMIT", "MAX_PARALLEL_REQUESTS"),
}
OTHERS = """
    PATH HOME LANG LC_ALL SHELL EDITOR TERM CI GITHUB_TOKEN AWS_PROFILE AWS_REGION AWS_ACCESS_KEY
    AWS_CA_BUNDLE npm_config_cache npm_lifecycle_event NODE_OPTIONS PYTHONPATH VIRTUAL_ENV PROXY
    HTTP_PROXY https_proxy NO_PROXY proxy SSL_CERT_DIR LOG_LEVEL PORT HOST XDG_STATE_HOME
    STATE_DIR WEBSOCKET_PATH PROMPT_COMMAND MAX_JOBS OTEL_SERVICE_NAME SENTRY_DSN OPENAI_LOG
    OPENAI_ORG_ID LITESTREAM_URL DOCKER_HOST FUNCTION_NAME
"""


def names(found: tuple[object, ...]) -> list[str]:
    return [str(each).split(" ")[0].rstrip(":") for each in found]


@pytest.mark.parametrize("name", NAMED)
def test_other_systems_and_misspelled_variables_are_named_wherever_they_are_set(name: str) -> None:
    for shell, dotenv in (({name: "x"}, {}), ({}, {name: "x"})):
        found = ignored(shell, dotenv, frozenset())
        if NAMED[name]:
            assert names(found) == [name]
            assert NAMED[name] in warning(found)
            assert bool(refusal(found)) == (name in PROTECTING)
    assert bool(ignored({name: "x"}, {}, frozenset())) == bool(NAMED[name])


def misspelled(name: str) -> set[str]:
    """One letter or underscore missing, doubled, wrong or swapped; other case."""
    found = {f"{name}S", name.lower()}
    for i in range(1, len(name)):
        before, letter, after = name[:i], name[i], name[i + 1 :]
        found |= {before + after, f"{before}{letter}{letter}{after}", f"{before}X{after}"}
        found.add(before + after[:1] + letter + after[1:])
    return found - OWN


@pytest.mark.parametrize("name", sorted(OWN - NOT_MISSPELLED - {"PROMPT_TEMPLATES"}))
def test_every_misspelled_setting_is_named(name: str) -> None:
    for other in misspelled(name):
        found = ignored({other: "x"}, {}, frozenset())
        assert f"Use {name}" in warning(found), other
        assert bool(refusal(found)) == (name in SETTINGS_THAT_PROTECT), other


def test_names_that_other_tools_have_count_in_dotenv_and_next_to_their_system() -> None:
    assert ignored(dict.fromkeys(SHARED, "x"), {}, frozenset()) == ()
    found = ignored({}, dict.fromkeys(SHARED, "x"), frozenset())
    assert names(found) == sorted(SHARED)
    for each in found:
        assert SHARED[each.name] in str(each)
        assert each.protects == (each.name in SHARED_AND_PROTECTING)
    together = ignored({"TIMEOUT": "1", "REDIS_URL": "x", "LOG_OPENAI": "1"}, {}, frozenset())
    assert names(together) == ["LOG_OPENAI", "TIMEOUT"]


def test_variables_of_other_tools_are_not_named() -> None:
    assert ignored(dict.fromkeys(OTHERS.split(), "x"), {}, frozenset()) == ()


def test_what_is_empty_or_honored_is_not_named() -> None:
    empty = {"LEVEL_MODELS": "{}", "CACHE_ROUTES": "[]", "LITELLM_MODE": " "}
    assert ignored(empty, {}, frozenset()) == ()
    own = {"TIMEOUT": "5", "OPENAI_APIKEY": "x"}
    assert names(ignored({}, own, frozenset({"TIMEOUT"}))) == ["OPENAI_APIKEY"]
    templates = {"PROMPT_TEMPLATE": "Be brief", "FORWARD_KEYS": "x"}
    assert names(ignored({}, templates, frozenset())) == ["FORWARD_KEYS"]
    patterns = {**templates, "PROMPT_TEMPLATES": '["FORWARD_*"]'}
    assert names(ignored({}, patterns, frozenset())) == ["PROMPT_TEMPLATE"]


def test_no_value_is_shown() -> None:
    found = ignored({"OPENAI_APIKEY": "sk-secret", "FORWARD_KEYS": "fk-secret"}, {}, frozenset())
    assert "secret" not in warning(found) + refusal(found)


def test_every_line_of_openai_forwards_example_is_honored_or_named() -> None:
    dotenv = read_dotenv(EXAMPLE, {})
    found = ignored({}, dotenv, frozenset())
    of_other_routes = {"REQ_RATE_LIMIT", "TOKEN_RATE_LIMIT"}
    assert set(names(found)) == (dotenv.keys() - OWN) | of_other_routes
    assert "No API is at /benchmark/v1/chat/completions" in warning(found)
    assert dotenv.keys() & OWN == {
        *("REQ_RATE_LIMIT", "GLOBAL_RATE_LIMIT", "RATE_LIMIT_STRATEGY", "TOKEN_RATE_LIMIT"),
        *("PROXY", "CACHE_BACKEND"),
    }
    assert refusal(found) == ""


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        ("", "abc", 3),
        ("abc", "abc", 0),
        ("abc", "acb", 1),
        ("abcd", "abxd", 1),
        ("kitten", "sitting", 3),
    ],
)
def test_distance_counts_letters_that_differ(one: str, other: str, far: int) -> None:
    assert distance(one, other) == distance(other, one) == far
