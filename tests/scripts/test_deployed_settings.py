"""What packaging says of settings that functions refuse."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from scripts.deployed_settings import check, check_addresses, main
from sluice.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

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
        {"SPEND_ALARM": "12.5", "TOKEN_ALARM": "200000", "FIRST_TOKEN_ALARM": "0.5"},
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
        ("SPEND_ALARM", "0.0"),
        ("SPEND_ALARM", "-1"),
        ("SPEND_ALARM", "5 USD"),
        ("TOKEN_ALARM", "many"),
        ("FIRST_TOKEN_ALARM", "2s"),
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


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1"),
        ("OPENAI_BASE_URL", "http://LocalHost./v1"),
        ("OPENAI_BASE_URL", "http://127.1/v1"),
        ("OPENAI_BASE_URL", "http://my-mac.local:8000"),
        ("OPENAI_BASE_URL", "http://host.docker.internal:1234/v1"),
        ("EXTRA_BASE_URL", "https://api.example, http://[::1]:8/v1"),
        ("EXTRA_BASE_URL", '["https://api.example", "http://0.0.0.0:8/v1"]'),
        ("AZURE_OPENAI_ENDPOINT", "http://[::ffff:127.0.0.1]/"),
        ("PROXY", "localhost:7890"),
        ("API_GW_ENDPOINT", "http://app.localhost:3001"),
    ],
)
def test_addresses_of_this_machine_are_not_deployed(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable} must be an address that deployed"):
        check_addresses({variable: value})


def test_other_addresses_are_deployed() -> None:
    check_addresses(
        {
            "OPENAI_BASE_URL": "https://api.openai.com/v1",
            "EXTRA_BASE_URL": "https://localhost.example,http://10.0.0.7:8000/v1",
            "AZURE_OPENAI_ENDPOINT": "",
            "PROXY": "http://local-proxy.example:8080",
            "API_GW_ENDPOINT": {"Ref": "Api"},
        }
    )


def run(folder: Path, environ: dict[str, str], **variables: str) -> tuple[int, str, str]:
    """What the command returns and prints, for a service with one variable of its own."""
    yml = "service: sluice\nprovider: {environment: {OPENAI_MODEL: '${env:OPENAI_MODEL, }'}}\n"
    (folder / "serverless.yml").write_text(yml, encoding="utf-8")
    stdin = io.StringIO(json.dumps({**AS_PACKAGED, **variables}))
    out, err = io.StringIO(), io.StringIO()
    return main([str(folder), "dev"], environ, stdin, out, err), out.getvalue(), err.getvalue()


def test_what_comes_from_dotenv_is_said_by_name(tmp_path: Path) -> None:
    dotenv = {"OPENAI_MODEL": "m", "OPENAI_API_KEY": "sk-secret", "PROMPT_X": "Be brief"}
    lines = [*(f"{name}={value}" for name, value in dotenv.items()), "AWS_PROFILE=me", "TZ=x"]
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    shell = {"AWS_PROFILE": "me", "OPENAI_API_KEY": "sk-of-the-shell"}
    status, out, err = run(tmp_path, {**dotenv, **shell})
    assert (status, err) == (0, "")
    ignored_ones, taken = json.loads(out)["warnings"]
    assert "  TZ (openai-forward): " in ignored_ones
    assert "Deployed: OPENAI_MODEL. Not deployed: PROMPT_X. Keys are read from SSM" in taken
    assert "sk-" not in out
    assert "PROFILE" not in out
    (tmp_path / ".env.dev").write_text("OPENAI_MODEL=of-the-stage\n", encoding="utf-8")
    _, out, _ = run(tmp_path, {"OPENAI_MODEL": "of-the-stage"})
    (taken,) = json.loads(out)["warnings"]
    assert taken == "This deployment reads .env.dev. Deployed: OPENAI_MODEL."


def test_what_protects_and_is_ignored_stops_packaging(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, {"LEVEL_MODELS": "{1: []}", "OPENAI_APIKEY": "sk-secret"})
    assert (status, out) == (1, "")
    assert "  LEVEL_MODELS (openai-forward): Make keys with `npm run keys" in err
    assert "  OPENAI_APIKEY: Use OPENAI_API_KEY." in err
    assert "LEVEL_MODELS would protect the gateway" in err
    assert "secret" not in err
    status, out, err = run(tmp_path, {"OPENAI_APIKEY": "sk-secret"}, UPSTREAM_RETRIES="many")
    assert (status, out) == (1, "")
    assert "  OPENAI_APIKEY: Use OPENAI_API_KEY.\n\nUPSTREAM_RETRIES must be" in err
    status, out, err = run(tmp_path, {"IP_WHITE_LIST": "192.0.2.7"})
    assert (status, out) == (1, "")
    assert "  IP_WHITE_LIST: Use IP_WHITELIST." in err
    assert "IP_WHITE_LIST would protect the gateway" in err


def test_proxy_of_this_machine_stops_packaging(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, {}, PROXY="http://127.0.0.1:7890")
    assert (status, out) == (1, "")
    assert "PROXY must be an address that deployed functions can reach (got 127.0.0.1)" in err
