"""Settings: names that users know, values that are checked."""

from __future__ import annotations

import pytest

from sluice.errors import SettingsError
from sluice.settings import ALL_SETTINGS, read_settings


def test_defaults_need_no_environment() -> None:
    settings = read_settings({})
    assert settings.openai_base_url == "https://api.openai.com/v1"
    assert settings.openai_model == "gpt-4o-mini"
    assert settings.prompt_template_patterns == ("*_TEMPLATE", "PROMPT_*")
    assert settings.function_url_auth == "aws_iam"
    assert settings.websocket_auth == "forward_key"
    assert settings.api_gw_endpoint == ""
    assert settings.openai_keys.plain == ()
    assert (settings.state_table, settings.state_file) == ("", "")
    assert (settings.ascii_quotes, settings.log_chat) == (False, False)


@pytest.mark.parametrize("value", ["true", "True", " TRUE "])
def test_switch_is_on_when_it_is_true(value: str) -> None:
    settings = read_settings({"ASCII_QUOTES": value, "LOG_CHAT": value})
    assert (settings.ascii_quotes, settings.log_chat) == (True, True)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1"),
        ("http://127.0.0.1:11434/v1/", "http://127.0.0.1:11434/v1"),
        ("https://host/openai/v1", "https://host/openai/v1"),
    ],
)
def test_base_url_ends_without_a_slash_and_has_a_path(given: str, url: str) -> None:
    assert read_settings({"OPENAI_BASE_URL": given}).openai_base_url == url


def test_several_keys_are_separated_by_commas() -> None:
    assert read_settings({"OPENAI_API_KEY": " a, b ,,c"}).openai_keys.plain == ("a", "b", "c")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OPENAI_BASE_URL", "api.openai.com"),
        ("OPENAI_BASE_URL", "http://[::1"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:99999/v1"),
        ("OPENAI_BASE_URL", "https://user:password@host/v1"),
        ("OPENAI_BASE_URL", "https://host/v1?api-version=1"),
        ("OPENAI_API_KEY_PARAMETER", "sk-pasted-by-mistake"),
        ("FORWARD_KEY_PARAMETER", "no-slash"),
        ("OPENAI_API_KEY", 'sk-"quoted"'),
        ("API_GW_ENDPOINT", "wss://x"),
        ("PROXY", "socks5://x"),
        ("PROXY", "https://proxy:3128"),
        ("FUNCTION_URL_AUTH", "NONE"),
        ("WEBSOCKET_AUTH", "open"),
        ("ASCII_QUOTES", "yes"),
        ("LOG_CHAT", "1"),
        ("UPSTREAM_READ_TIMEOUT", "soon"),
        ("UPSTREAM_CONNECT_TIMEOUT", "0"),
        ("UPSTREAM_CONNECT_TIMEOUT", "inf"),
        ("OPENAI_API_KEY", "sk with blanks"),
        ("FORWARD_KEY", "schlüssel"),
        ("UPSTREAM_FIRST_BYTE_TIMEOUT", "-1"),
        ("UPSTREAM_READ_TIMEOUT", "nan"),
        ("UPSTREAM_RETRIES", "11"),
        ("UPSTREAM_RETRIES", "-1"),
        ("UPSTREAM_RETRIES", "2.5"),
        ("FALLBACK_MODELS", "a"),
        ("FALLBACK_MODELS", "a="),
        ("FALLBACK_MODELS", "=b"),
        ("FALLBACK_MODELS", "a=b,a=c"),
        ("CORS_ALLOW_ORIGINS", "app.example"),
        ("CORS_ALLOW_ORIGINS", "https://app.example/page"),
        ("CORS_ALLOW_ORIGINS", "https://*.example"),
        ("OPENAI_ROUTE_PREFIX", "/a b"),
        ("UPSTREAM_AUTH", "sigv4"),
        ("AZURE_OPENAI_PROXY_MODE", "Azure"),
        ("AZURE_OPENAI_MODEL_MAPPER", "x=y,gpt-4"),
        ("AZURE_OPENAI_MODEL_MAPPER", "=d"),
        ("AZURE_OPENAI_MODEL_MAPPER", "a=b=c"),
        ("AZURE_OPENAI_MODEL_MAPPER", "a=.."),
        ("AZURE_OPENAI_MODEL_MAPPER", "a=b/c"),
        ("AZURE_OPENAI_MODEL_MAPPER", "a=" + "d" * 65),
        ("EXTRA_BASE_URL", "https://a.example,,https://b.example"),
        ("EXTRA_ROUTE_PREFIX", "/a,/../b"),
        ("EXTRA_API_KEY", "sk-1,,sk-2"),
        ("EXTRA_API_KEY_PARAMETER", "/a,b"),
    ],
)
def test_wrong_value_is_named_by_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} must ") as caught:
        read_settings({variable: value})
    assert caught.value.document()["message"] == "The gateway is misconfigured. Its log says how."


@pytest.mark.parametrize(
    "variable", ["OPENAI_API_KEY", "FORWARD_KEY", "OPENAI_API_KEY_PARAMETER", "OPENAI_BASE_URL"]
)
def test_wrong_value_that_may_be_a_secret_is_not_quoted(variable: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({variable: "http://u:sk-secret value@host"})
    assert "sk-secret" not in str(caught.value)


def test_secrets_are_not_in_the_repr() -> None:
    environ = {"OPENAI_API_KEY": "sk-1", "FORWARD_KEY": "fk-1", "PROXY": "http://user:pw@proxy"}
    shown = repr(read_settings(environ))
    assert not any(secret in shown for secret in ("sk-1", "fk-1", "pw"))


def test_times_retries_and_fallbacks_are_read() -> None:
    settings = read_settings(
        {
            "UPSTREAM_CONNECT_TIMEOUT": "0.5",
            "UPSTREAM_FIRST_BYTE_TIMEOUT": "30",
            "UPSTREAM_READ_TIMEOUT": "3600",
            "UPSTREAM_RETRIES": "0",
            "FALLBACK_MODELS": " a = b, b=c ,ft:x=y=z",
        }
    )
    times = (settings.connect_timeout_s, settings.first_byte_timeout_s, settings.read_timeout_s)
    assert times == (0.5, 30.0, 3600.0)
    assert settings.retries == 0
    assert settings.fallback_models == {"a": "b", "b": "c", "ft:x": "y=z"}


def test_azures_mapper_is_pairs_between_commas() -> None:
    settings = read_settings({"AZURE_OPENAI_MODEL_MAPPER": " gpt-4.1 = a-1 ,, ft:x=b_2.3,"})
    assert settings.azure_model_mapper == {"gpt-4.1": "a-1", "ft:x": "b_2.3"}


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"PROXY": "socks5://proxy:1080"},
            "PROXY must start with http:// (got socks5://)."
            " Use UPSTREAM_TRANSPORT=requests for SOCKS and https proxies.",
        ),
        ({"PROXY": "ftp://proxy"}, "PROXY must start with http:// (got ftp://)."),
        (
            {"UPSTREAM_TRANSPORT": "httpx"},
            "UPSTREAM_TRANSPORT must be builtin or requests (got 'httpx').",
        ),
        ({"LOG_CHAT": "1"}, "LOG_CHAT must be true or false (got '1')."),
        (
            {"OPENAI_BASE_URL": "api.example"},
            "OPENAI_BASE_URL must start with http:// or https://, for example"
            " http://127.0.0.1:11434/v1.",
        ),
    ],
)
def test_message_says_what_is_wrong_and_what_was_expected(
    environ: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    assert caught.value.message == message


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
def test_requests_knows_further_proxies(scheme: str) -> None:
    environ = {"PROXY": f"{scheme}://user:pw@proxy:1080/", "UPSTREAM_TRANSPORT": "requests"}
    assert read_settings(environ).proxy == f"{scheme}://user:pw@proxy:1080"


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError, match="retries"):
        setattr(read_settings({}), "retries", 3)  # noqa: B010 -- mypy refuses the plain form


def test_each_row_has_a_name_of_its_own_and_a_default_that_it_takes() -> None:
    names = [row.name for row in ALL_SETTINGS]
    assert len(set(names)) == len(names)
    for row in ALL_SETTINGS:
        assert row.meaning.endswith("."), row.name
        row.read({})


def test_nothing_is_asked_of_other_models_or_allowed_to_pages_unless_it_is_set() -> None:
    settings = read_settings({})
    assert (settings.retries, settings.fallback_models) == (2, {})
    assert settings.cors_allow_origins == ()


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ("*", ("*",)),
        (
            "https://App.Example/, http://localhost:5173",
            ("https://app.example", "http://localhost:5173"),
        ),
        ("null,chrome-extension://abc", ("null", "chrome-extension://abc")),
        ("http://[::1]:3000", ("http://[::1]:3000",)),
    ],
)
def test_origins_are_those_that_browsers_write(given: str, origins: tuple[str, ...]) -> None:
    assert read_settings({"CORS_ALLOW_ORIGINS": given}).cors_allow_origins == origins
