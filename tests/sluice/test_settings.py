"""Settings: the defaults, and what is read, rejected and never shown."""

from __future__ import annotations

import json

import pytest

from sluice.errors import SettingsError
from sluice.setting_values import InvalidValue
from sluice.settings import ALL_SETTINGS, DEFAULT_MODEL, read_settings

WRONG = {
    "OPENAI_BASE_URL": [
        "api.openai.com", "http://[::1", "http://127.0.0.1:99999/v1",
        "https://user:password@host/v1", "https://host/v1?api-version=1",
    ],
    "OPENAI_API_KEY": ['sk-"quoted"', "sk with blanks", "1234567890123456", "12.5e45678901234"],
    "OPENAI_API_KEY_PARAMETER": ["sk-pasted-by-mistake"],
    "FORWARD_KEY": ["schlüssel", "a", "of-fifteen-sign", "of-16-characters,a", "two keys of blanks",
                    "1234567890123456", "1234567890-1234567890"],
    "FORWARD_KEY_PARAMETER": ["no-slash"],
    "API_GW_ENDPOINT": ["wss://x"],
    "PROXY": ["socks5://x", "https://proxy:3128"],
    "FUNCTION_URL_AUTH": ["NONE"],
    "WEBSOCKET_AUTH": ["open"],
    "ASCII_QUOTES": ["yes"],
    "LOG_CHAT": ["1"],
    "CACHE_BACKEND": ["redis", "ROCKSDB", "leveldb"],
    "CACHE_TTL": ["0", "-1", "1.5", "1d", "31622401", "9" * 30],
    "CACHE_SCOPE": ["key"],
    "UPSTREAM_CONNECT_TIMEOUT": ["soon", "0", "inf", "-1", "nan"],
    "UPSTREAM_RETRIES": ["11", "-1", "2.5"],
    "UPSTREAM_AUTH": ["sigv4"],
    "FALLBACK_MODELS": ["a", "a=", "=b", "a=b,a=c"],
    "CORS_ALLOW_ORIGINS": ["app.example", "https://app.example/page", "https://*.example"],
    "OPENAI_ROUTE_PREFIX": ["/a b", "/a%20b"],
    "AZURE_OPENAI_PROXY_MODE": ["Azure"],
    "AZURE_OPENAI_MODEL_MAPPER": [
        "x", "x=y,gpt-4", "=d", "a=b=c", "a=..", "a=b/c", "a=" + "d" * 65
    ],
    "EXTRA_BASE_URL": ["https://a.example,,https://b.example", "https://a.example,b.example"],
    "EXTRA_ROUTE_PREFIX": ["/a,/../b", "/a,/"],
    "EXTRA_API_KEY": ["sk-1,,sk-2", "sk-1,"],
    "EXTRA_API_KEY_PARAMETER": ["/a,b", "sk-1,-"],
}  # fmt: skip


@pytest.mark.parametrize(("variable", "values"), WRONG.items(), ids=WRONG)
def test_invalid_value_is_reported_with_its_variable(variable: str, values: list[str]) -> None:
    for value in values:
        with pytest.raises(SettingsError, match=f"^{variable} must ") as caught:
            read_settings({variable: value})
        shown = caught.value.document()["message"]
        assert shown == "The gateway is misconfigured. Its log says how."


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "PROXY",
            "socks5://proxy:1080",
            "PROXY must start with http:// (got socks5://)."
            " Use UPSTREAM_TRANSPORT=requests for SOCKS and https proxies.",
        ),
        ("PROXY", "ftp://proxy", "PROXY must start with http:// (got ftp://)."),
        (
            "UPSTREAM_TRANSPORT",
            "httpx",
            "UPSTREAM_TRANSPORT must be builtin or requests (got 'httpx').",
        ),
        (
            "FORWARD_KEY",
            "my-key",
            "FORWARD_KEY must hold keys of at least 16 characters."
            " Make one with `openssl rand -hex 24`.",
        ),
        ("LOG_CHAT", "1", "LOG_CHAT must be true or false (got '1')."),
        (
            "OPENAI_BASE_URL",
            "api.example",
            "OPENAI_BASE_URL must start with http:// or https://, for example"
            " http://127.0.0.1:11434/v1.",
        ),
        (
            "OPENAI_BASE_URL",
            "https://a.example, https://b.example",
            "OPENAI_BASE_URL must be one URL."
            " Further APIs: EXTRA_BASE_URL, EXTRA_ROUTE_PREFIX and EXTRA_API_KEY.",
        ),
    ],
)
def test_message_says_what_is_wrong_and_what_was_expected(
    variable: str, value: str, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({variable: value})
    assert caught.value.message == message


def test_invalid_value_that_may_be_a_secret_is_not_quoted() -> None:
    for name in ("OPENAI_API_KEY", "FORWARD_KEY", "OPENAI_API_KEY_PARAMETER", "OPENAI_BASE_URL"):
        with pytest.raises(SettingsError) as caught:
            read_settings({name: "http://u:sk-secret value@host"})
        assert "sk-secret" not in str(caught.value)


def test_secrets_are_not_in_the_repr() -> None:
    environ = {
        "OPENAI_API_KEY": "sk-1",
        "FORWARD_KEY": "fk-1-abcdefghijk",
        "PROXY": "http://user:pw@proxy",
    }
    shown = repr(read_settings(environ))
    assert not any(secret in shown for secret in ("sk-1", "fk-1", "pw"))


def test_defaults_need_no_environment() -> None:
    settings = read_settings({})
    assert settings.openai_base_url == "https://api.openai.com/v1"
    assert settings.openai_model == DEFAULT_MODEL
    assert settings.prompt_template_patterns == ("*_TEMPLATE", "PROMPT_*")
    assert (settings.function_url_auth, settings.websocket_auth) == ("aws_iam", "forward_key")
    assert (settings.api_gw_endpoint, settings.openai_keys.plain) == ("", ())
    assert (settings.state_table, settings.state_file) == ("", "")
    assert (settings.ascii_quotes, settings.log_chat) == (False, False)
    assert (settings.retries, settings.fallback_models) == (2, {})
    assert settings.cors_allow_origins == ()


def test_each_setting_has_its_own_name_and_a_valid_default() -> None:
    names = [row.name for row in ALL_SETTINGS]
    assert len(set(names)) == len(names)
    for row in ALL_SETTINGS:
        assert row.meaning.endswith("."), row.name
        row.read({})


READ: list[tuple[str, str, str, object]] = [
    ("ASCII_QUOTES", "True", "ascii_quotes", True),
    ("LOG_CHAT", " TRUE ", "log_chat", True),
    ("OPENAI_BASE_URL", "https://host", "openai_base_url", "https://host/v1"),
    ("OPENAI_BASE_URL", " http://host:8080/ ", "openai_base_url", "http://host:8080"),
    ("OPENAI_BASE_URL", "http://host:8080/v1/", "openai_base_url", "http://host:8080/v1"),
    ("OPENAI_BASE_URL", "https://host/openai/v1", "openai_base_url", "https://host/openai/v1"),
    ("UPSTREAM_CONNECT_TIMEOUT", "0.5", "connect_timeout_s", 0.5),
    ("UPSTREAM_FIRST_BYTE_TIMEOUT", "30", "first_byte_timeout_s", 30.0),
    ("UPSTREAM_READ_TIMEOUT", "3600", "read_timeout_s", 3600.0),
    ("UPSTREAM_RETRIES", "0", "retries", 0),
    ("CACHE_TTL", "31622400", "cache_ttl_s", 366 * 24 * 3600),
    ("CACHE_SCOPE", "all", "cache_scope", "all"),
    ("FALLBACK_MODELS", " a = b, ft:x=y=z", "fallback_models", {"a": "b", "ft:x": "y=z"}),
    ("AZURE_OPENAI_MODEL_MAPPER", " a.1 = b ,, ft:x=b_2.3,", "azure_model_mapper",
     {"a.1": "b", "ft:x": "b_2.3"}),
    ("CORS_ALLOW_ORIGINS", "*", "cors_allow_origins", ("*",)),
    ("CORS_ALLOW_ORIGINS", "https://A.Example/, http://[::1]:3000", "cors_allow_origins",
     ("https://a.example", "http://[::1]:3000")),
    ("CORS_ALLOW_ORIGINS", "null,chrome-extension://abc", "cors_allow_origins",
     ("null", "chrome-extension://abc")),
]  # fmt: skip


@pytest.mark.parametrize(("variable", "text", "attribute", "value"), READ)
def test_value_is_read(variable: str, text: str, attribute: str, value: object) -> None:
    assert getattr(read_settings({variable: text}), attribute) == value


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
def test_requests_knows_more_proxies(scheme: str) -> None:
    environ = {"PROXY": f"{scheme}://user:pw@proxy:1080/", "UPSTREAM_TRANSPORT": "requests"}
    assert read_settings(environ).proxy == f"{scheme}://user:pw@proxy:1080"


def test_several_keys_are_separated_by_commas() -> None:
    assert read_settings({"OPENAI_API_KEY": " a, b ,,c"}).openai_keys.plain == ("a", "b", "c")


LISTS = {
    "OPENAI_API_KEY": "sk-one, sk-two",
    "FORWARD_KEY": "a-key-of-16-letters,another-of-16-letters",
    "AZURE_OPENAI_TOKEN": "one,two",
    "EXTRA_API_KEY": "sk-one, -",
    "EXTRA_API_KEY_PARAMETER": "/one, -",
    "EXTRA_BASE_URL": "https://a.example/v1, https://b.example",
    "EXTRA_ROUTE_PREFIX": "/a, b",
    "FALLBACK_MODELS": "a=b, c=d",
    "AZURE_OPENAI_MODEL_MAPPER": "a=b, c=d",
    "CORS_ALLOW_ORIGINS": "https://a.example, http://localhost:5173",
    "PROMPT_TEMPLATES": "*_TEMPLATE, PROMPT_*",
    "IP_WHITELIST": "10.0.0.0/8, 192.0.2.7",
    "IP_BLACKLIST": "2001:db8::/32, 192.0.2.7",
    "BEDROCK_MODELS": "a.b-1:0, arn:aws:bedrock:r:1:x/y",
}


@pytest.mark.parametrize("name", LISTS)
def test_list_may_be_written_between_commas_or_as_json(name: str) -> None:
    (row,) = [row for row in ALL_SETTINGS if row.name == name]
    as_json = json.dumps([part.strip() for part in LISTS[name].split(",")])
    assert row.parse(as_json) == row.parse(LISTS[name])
    for wrong in ('["a"', '["a", 1]', '[["a"]]'):
        with pytest.raises(InvalidValue):
            row.parse(wrong)


def test_keys_of_local_servers_may_be_any_word() -> None:
    for word in ("x", "EMPTY", "ollama", "sk-local", "12345678"):
        assert read_settings({"OPENAI_API_KEY": word}).openai_keys.plain == (word,)


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError, match="retries"):
        setattr(read_settings({}), "retries", 3)  # noqa: B010 -- mypy refuses the plain form


def test_further_authorities_are_named_as_for_other_programs() -> None:
    for environ, trusted in (
        ({}, None),
        ({"SSL_CERT_FILE": " "}, None),
        ({"SSL_CERT_FILE": "/a.pem"}, "/a.pem"),
        ({"SSL_CERT_FILE": "/a.pem", "REQUESTS_CA_BUNDLE": "/b.pem"}, "/b.pem"),
    ):
        assert read_settings(environ).trusted_certificates == trusted


@pytest.mark.parametrize(
    ("state", "backend"),
    [
        ({"STATE_FILE": ".state/s", "STATE_TABLE": "t"}, "SQLITE"),
        ({"STATE_TABLE": "t"}, "DYNAMODB"),
        ({}, "MEMORY"),
    ],
)
def test_cache_is_where_the_state_is(state: dict[str, str], backend: str) -> None:
    assert read_settings(state).cache_backend == backend
    assert read_settings({**state, "CACHE_BACKEND": "memory"}).cache_backend == "MEMORY"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"CACHE_BACKEND": "LevelDB"},
            "CACHE_BACKEND must be SQLITE or DYNAMODB or MEMORY or LMDB (got 'LevelDB'). Only one"
            " process may open LEVELDB, and each function is one. Use SQLITE on one machine,"
            " DYNAMODB in a deployment.",
        ),
        (
            {"CACHE_BACKEND": "SQLITE"},
            "CACHE_BACKEND must be DYNAMODB or MEMORY here (got SQLITE)."
            " A function's disk is its own: its files are not shared.",
        ),
        (
            {"CACHE_BACKEND": "DYNAMODB", "STATE_FILE": "s"},
            "CACHE_BACKEND must be SQLITE, LMDB or MEMORY here (got DYNAMODB).",
        ),
    ],
)
def test_cache_that_cannot_be_shared_here_is_rejected(
    environ: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"CACHE_CHAT_COMPLETION": "true", **environ})
    assert caught.value.message == message


def test_backend_of_a_cache_that_is_off_may_be_for_another_place() -> None:
    for environ in ({"CACHE_BACKEND": "LMDB"}, {"CACHE_BACKEND": "DYNAMODB", "STATE_FILE": "s"}):
        assert not read_settings(environ).cache_chat_completion
