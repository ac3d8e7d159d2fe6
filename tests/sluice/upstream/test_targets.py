"""Which API a path leads to, with which keys, and never beyond that API's base URL."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import SettingsError
from sluice.settings import KeySource, read_settings
from sluice.upstream.call import ModelCall
from sluice.upstream.providers.azure import AzureProvider
from sluice.upstream.providers.bedrock import BedrockProvider
from sluice.upstream.providers.openai import OpenAIProvider
from sluice.upstream.targets import Target, find_target, read_targets

SHARED = Path(__file__).parents[3] / "layers/shared/python"
EXTRA = {
    "EXTRA_BASE_URL": "https://one.example/api/, https://two.example",
    "EXTRA_ROUTE_PREFIX": "/tt, gemini/",
}
AZURE = {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com", "OPENAI_API_KEY": "sk-1"}
OPENAI = "https://api.openai.com/v1"
ACCOUNT = {"openai-organization": "org-1", "openai-project": "proj-1"}
RUNTIME = "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1"


def targets_of(environ: dict[str, str]) -> tuple[Target, ...]:
    return read_targets(environ, read_settings(environ))


def url_of(environ: dict[str, str], path: str) -> str | None:
    found = find_target(targets_of(environ), path)
    if found is None:
        return None
    call = ModelCall("GET", found[1], "", {}, b"", None)
    return found[0].provider.request(call, None).url


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/v1/chat/completions/", f"{OPENAI}/chat/completions"),
        ("//v1//chat//completions", f"{OPENAI}/chat/completions"),
        ("/v1/%63hat/completion%73", f"{OPENAI}/chat/completions"),
        ("/v1/files/100%", f"{OPENAI}/files/100%25"),
        ("/v1", OPENAI),
        ("/v1/", OPENAI),
        ("/v1/models/org%2Fmodel:1", f"{OPENAI}/models/org%2Fmodel:1"),
        ("/v1/models/a.b..c/.d", f"{OPENAI}/models/a.b..c/.d"),
        ("/v1/files/a b?c#d", f"{OPENAI}/files/a%20b%3Fc%23d"),
        ("/v1/files/é\r\n", f"{OPENAI}/files/%C3%A9%0D%0A"),
        ("/tt/x", "https://one.example/api/x"),
        ("/tt", "https://one.example/api"),
        ("/tt//x/", "https://one.example/api//x/"),
        ("/tt/v1/models", "https://one.example/api/v1/models"),
        ("/gemini/v1beta/models/m:generate", "https://two.example/v1beta/models/m:generate"),
    ],
)
def test_path_leads_to_a_url(path: str, url: str) -> None:
    assert url_of(EXTRA, path) == url


def test_base_url_with_a_slash_at_its_end_is_the_root_of_a_server() -> None:
    for base_url, url in (("https://h", "https://h/v1/models"), ("https://h/", "https://h/models")):
        assert url_of({"OPENAI_BASE_URL": base_url}, "/v1/models") == url


def test_path_without_a_target_leads_nowhere() -> None:
    for path in ("/v11/x", "/V1/x", "/chat/completions", "/", "", "/ttx", "/ttx/y", "/tt%2Fx"):
        assert url_of(EXTRA, path) is None, path


def test_path_that_could_leave_the_base_url_leads_nowhere() -> None:
    for path in (
        "/../x", "/a/..", "/..", "/.", "/./x", "/%2e%2e/x", "/%2E./x", "/.%2e", "/a%2f..%2fx",
        "/a/..%2Fx", "/a%2F%2e%2e", "/..%5cx", "/..\\x", "/%252e%252e/x", "/a%252f..%25252fx",
        "/..;/x", "/..;a=b/x", "/..%3b/x",
    ):  # fmt: skip
        for prefix in ("/v1", "/tt"):
            assert url_of(EXTRA, prefix + path) is None, path


@given(st.text("/.%2efFE5cC;\\a", max_size=20))
def test_no_path_leaves_the_base_url_however_often_it_is_decoded(path: str) -> None:
    found = find_target(targets_of(EXTRA), "/tt/" + path)
    if found is not None:
        decoded = found[1]
        for _ in range(20):
            assert not {".", ".."} & set(decoded.replace("\\", "/").split("/"))
            decoded = _decoded_once(decoded)


def _decoded_once(text: str) -> str:
    for code, character in (("%2e", "."), ("%2f", "/"), ("%5c", "\\"), ("%25", "%")):
        text = text.replace(code, character).replace(code.upper(), character)
    return text


def test_longest_prefix_wins_in_any_order() -> None:
    environ = {
        "EXTRA_BASE_URL": "https://a.example,https://b.example,https://c.example",
        "EXTRA_ROUTE_PREFIX": "/a/b,/a,/v1/c",
    }
    assert url_of(environ, "/a/b/x") == "https://a.example/x"
    assert url_of(environ, "/a/bx") == "https://b.example/bx"
    assert url_of(environ, "/v1/c/x") == "https://c.example/x"
    assert url_of(environ, "/v1/d/x") == f"{OPENAI}/d/x"


def test_route_prefix_of_the_default_target() -> None:
    for setting, prefix in (
        ("/openai", "/openai/v1"),
        (" openai/v1/ ", "/openai/v1"),
        ("/", "/v1"),
    ):
        (target,) = targets_of({"OPENAI_ROUTE_PREFIX": setting})
        assert target.route_prefix == prefix


def test_each_target_has_only_its_own_keys() -> None:
    environ = {
        **EXTRA,
        "OPENAI_API_KEY": "sk-1,sk-2",
        "OPENAI_API_KEY_PARAMETER": "/keys/openai",
    }
    default, *extra = [target.keys for target in targets_of(environ)]
    assert default == KeySource("OPENAI_API_KEY", ("sk-1", "sk-2"), "/keys/openai")
    assert extra == [KeySource("EXTRA_API_KEY")] * 2
    environ |= {"EXTRA_API_KEY": "-, sk-two", "EXTRA_API_KEY_PARAMETER": "/keys/one,-"}
    assert [target.keys for target in targets_of(environ)][1:] == [
        KeySource("EXTRA_API_KEY", (), "/keys/one"),
        KeySource("EXTRA_API_KEY", ("sk-two",), ""),
    ]


@pytest.mark.parametrize(
    ("variable", "changed"),
    [
        ("EXTRA_ROUTE_PREFIX", {"EXTRA_ROUTE_PREFIX": ""}),
        ("EXTRA_ROUTE_PREFIX", {"EXTRA_BASE_URL": ""}),
        ("EXTRA_ROUTE_PREFIX", {"EXTRA_ROUTE_PREFIX": "/tt,/tt/"}),
        ("EXTRA_ROUTE_PREFIX", {"EXTRA_ROUTE_PREFIX": "/tt,/v1"}),
        ("EXTRA_API_KEY", {"EXTRA_API_KEY": "sk-one"}),
        ("EXTRA_API_KEY_PARAMETER", {"EXTRA_API_KEY_PARAMETER": "/a,/b,/c"}),
        ("UPSTREAM_AWS_REGION", {"UPSTREAM_AUTH": "aws_sigv4"}),
        ("AZURE_OPENAI_ENDPOINT", {"AZURE_OPENAI_PROXY_MODE": "azure"}),
    ],
)
def test_error_names_the_setting_and_shows_no_key(variable: str, changed: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        targets_of({**EXTRA, **changed})
    assert caught.value.variable == variable
    assert "sk-one" not in caught.value.message


def test_lists_of_different_length_are_both_named() -> None:
    with pytest.raises(
        SettingsError, match=r"EXTRA_ROUTE_PREFIX .* EXTRA_BASE_URL, .* 2 \(got 1\)"
    ):
        targets_of({**EXTRA, "EXTRA_ROUTE_PREFIX": "/tt"})


@pytest.mark.parametrize(
    ("mode", "endpoint", "kind"),
    [
        ("", "", OpenAIProvider),
        ("", "https://r.openai.azure.com", AzureProvider),
        ("azure", "https://r.openai.azure.com", AzureProvider),
        ("openai", "https://r.openai.azure.com", OpenAIProvider),
    ],
)
def test_mode_or_endpoint_selects_azure(mode: str, endpoint: str, kind: type) -> None:
    environ = {"AZURE_OPENAI_PROXY_MODE": mode, "AZURE_OPENAI_ENDPOINT": endpoint}
    assert isinstance(targets_of(environ)[0].provider, kind)


def test_azures_token_replaces_the_openai_keys() -> None:
    assert targets_of(AZURE)[0].keys.plain == ("sk-1",)
    token = {**AZURE, "AZURE_OPENAI_TOKEN": "t-1"}
    assert targets_of(token)[0].keys == KeySource("AZURE_OPENAI_TOKEN", ("t-1",))
    parameter = {**AZURE, "AZURE_OPENAI_TOKEN_PARAMETER": "/keys/azure"}
    assert targets_of(parameter)[0].keys.parameter == "/keys/azure"


def test_azure_gets_its_mapper_and_a_default_model_only_if_one_is_set() -> None:
    mapped = {**AZURE, "AZURE_OPENAI_MODEL_MAPPER": "a=b"}
    names = ["gpt-3.5-turbo", "gpt-3.5-turbo-0301", "a"]
    assert listed_models(mapped) == names
    assert listed_models({**mapped, "OPENAI_MODEL": "gpt-5"}) == [*names, "gpt-5"]


def listed_models(environ: dict[str, str]) -> list[str]:
    call = ModelCall("GET", "/models", "", {}, b"", None)
    document = targets_of(environ)[0].provider.own_answer(call)
    assert document is not None
    return [model["id"] for model in json.loads(document)["data"]]


@pytest.mark.parametrize(
    ("base_url", "auth", "kind", "keys"),
    [
        (RUNTIME, "", BedrockProvider, ("sk-1",)),
        (RUNTIME, "aws_sigv4", BedrockProvider, ()),
        (RUNTIME, "bearer", OpenAIProvider, ("sk-1",)),
        ("https://inside.example/v1", "aws_sigv4", BedrockProvider, ()),
        ("https://bedrock-like.example/v1", "", OpenAIProvider, ("sk-1",)),
    ],
)
def test_host_or_setting_selects_bedrock(
    base_url: str, auth: str, kind: type, keys: tuple[str, ...]
) -> None:
    environ = {"OPENAI_BASE_URL": base_url, "UPSTREAM_AUTH": auth, "OPENAI_API_KEY": "sk-1"}
    (target,) = targets_of({**environ, "AWS_REGION": "us-east-1"})
    assert isinstance(target.provider, kind)
    assert target.keys.plain == keys


@pytest.mark.parametrize(("allowed", "passed"), [("false", {}), ("true", ACCOUNT)])
def test_client_chooses_the_account_only_if_a_setting_says_so(
    allowed: str, passed: dict[str, str]
) -> None:
    environ = {"EXTRA_BASE_URL": "https://a.example", "EXTRA_ROUTE_PREFIX": "/a"}
    for target in targets_of({**environ, "PASS_ACCOUNT_HEADERS": allowed}):
        headers = target.provider.request(
            ModelCall("GET", "/x", "", ACCOUNT, b"", None), "k"
        ).headers
        assert {name: headers[name] for name in ACCOUNT if name in headers} == passed


def test_extra_target_at_bedrock_is_signed() -> None:
    environ = {"EXTRA_BASE_URL": RUNTIME, "EXTRA_ROUTE_PREFIX": "/bedrock"}
    assert isinstance(targets_of(environ)[1].provider, BedrockProvider)


def test_providers_have_names_for_the_log_and_only_azures_streams_are_mended() -> None:
    for environ, name in (
        ({}, "openai"),
        (AZURE, "azure"),
        ({"OPENAI_BASE_URL": RUNTIME}, "bedrock"),
    ):
        provider = targets_of(environ)[0].provider
        assert (provider.name, provider.mends_stream_end) == (name, name == "azure")


def test_only_selected_providers_are_imported() -> None:
    program = (
        "import sys; from sluice.settings import read_settings; "
        "from sluice.upstream.targets import read_targets; read_targets({}, read_settings({})); "
        "print([name for name in sys.modules if name in ('sluice.aws.sigv4', 'hashlib') or "
        "name.startswith('sluice.upstream.providers.')])"
    )
    command = [sys.executable, "-c", program]
    printed = subprocess.check_output(command, env={"PYTHONPATH": str(SHARED)}, text=True)
    assert printed.strip() == "['sluice.upstream.providers.openai']"
