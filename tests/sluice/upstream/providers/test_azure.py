"""Azure OpenAI: every rule of azure-openai-proxy, and both of Azure's surfaces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.errors import InvalidField, SettingsError
from sluice.settings import read_settings
from sluice.upstream.providers.azure import AzureProvider, Surface, surface_of
from tests.sluice.upstream.providers.asking import KEPT, a_call

HOST = "https://r.openai.azure.com"
CLASSIC = Surface(f"{HOST}/openai", "api-version=2024-10-21", is_v1=False)
V1 = Surface(f"{HOST}/openai/v1", "", is_v1=True)
CHAT = b'{"model": "gpt-4.1", "messages": []}'
FORM = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n'
FORM_CALL = a_call("/audio/transcriptions", FORM, content_type="multipart/form-data; boundary=b")
both_surfaces = pytest.mark.parametrize("surface", [CLASSIC, V1], ids=["classic", "v1"])


def of_model(model: str) -> bytes:
    return json.dumps({"model": model}).encode()


def test_classic_url_names_the_deployment_where_there_is_one() -> None:
    for path in (
        "/chat/completions", "/completions", "/embeddings", "/images/generations",
        "/images/edits", "/audio/transcriptions", "/audio/translations", "/audio/speech",
    ):  # fmt: skip
        request = AzureProvider(CLASSIC, {}).request(a_call(path, of_model("gpt-4o")), "k")
        assert request.url == f"{HOST}/openai/deployments/gpt-4o{path}?api-version=2024-10-21"
        assert request.deployment == "gpt-4o"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/responses"),
        ("POST", "/responses/resp_1/cancel"),
        ("GET", "/files/file-1/content"),
        ("GET", "/chat/completions"),
        ("DELETE", "/models/m"),
    ],
)
def test_other_classic_urls_are_openais_with_a_version(method: str, path: str) -> None:
    request = AzureProvider(CLASSIC, {}).request(a_call(path, method=method), "k")
    assert request.url == f"{HOST}/openai{path}?api-version=2024-10-21"


@pytest.mark.parametrize(
    ("model", "deployment"),
    [
        pytest.param("gpt-3.5-turbo", "gpt-35-turbo", id="the-default-mapper"),
        pytest.param("gpt-3.5-turbo-0301", "old", id="the-mapper-wins"),
        pytest.param("gpt-4o", "Mine_1.2", id="the-mapper"),
        pytest.param("gpt-3.5-turbo-16k", "gpt-35-turbo-16k", id="without-dots"),
        pytest.param("ft:gpt-4.1:me", "ftgpt-41me", id="without-colons"),
        pytest.param("a/b ü?#%2e", "a%2Fb%20%C3%BC%3F%23%252e", id="percent-encoded"),
        pytest.param("../x", "%2Fx", id="never-a-way-up"),
    ],
)
def test_classic_deployment_of_a_model(model: str, deployment: str) -> None:
    provider = AzureProvider(CLASSIC, {"gpt-4o": "Mine_1.2", "gpt-3.5-turbo-0301": "old"})
    call = a_call(body=of_model(model))
    request = provider.request(call, "k")
    assert request.url.split("/")[5] == deployment
    assert request.body is call.body


def test_form_is_sent_unchanged_to_the_deployment_of_its_model() -> None:
    for surface, path in ((CLASSIC, "/deployments/ear/audio/transcriptions?"), (V1, "/v1/audio")):
        request = AzureProvider(surface, {"whisper-1": "ear"}).request(FORM_CALL, "k")
        assert path in request.url
        assert request.body is FORM_CALL.body


@pytest.mark.parametrize("body", [b"{}", b"", b'{"model": 1}', of_model("..:")])
def test_call_that_needs_a_deployment_requires_a_model(body: bytes) -> None:
    with pytest.raises(InvalidField) as caught:
        AzureProvider(CLASSIC, {}).request(a_call(body=body), "k")
    assert caught.value.param == "model"


@both_surfaces
def test_default_model_is_used_where_a_deployment_is_needed(surface: Surface) -> None:
    provider = AzureProvider(surface, {}, "gpt-3.5-turbo")
    request = provider.request(a_call(), "k")
    assert request.deployment == "gpt-35-turbo"
    assert request.body == (b'{"model": "gpt-35-turbo"}' if surface.is_v1 else b"{}")
    assert provider.request(a_call("/files"), "k").body == b"{}"


@both_surfaces
def test_headers_have_the_api_key_and_nothing_that_is_for_the_gateway(surface: Surface) -> None:
    headers = AzureProvider(surface, {}).request(a_call(body=CHAT), "k").headers
    assert headers == {**KEPT, "accept-encoding": "identity", "api-key": "k"}
    assert "api-key" not in AzureProvider(surface, {}).request(a_call(body=CHAT), None).headers


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("a=1&b=%20", "a=1&b=%20&api-version=2024-10-21"),
        ("api-version=2020-01-01&a=1", "a=1&api-version=2024-10-21"),
        ("API-Version=x&api%2Dversion=y", "api-version=2024-10-21"),
        ("&a&", "a&api-version=2024-10-21"),
    ],
)
def test_setting_replaces_the_clients_api_version(query: str, sent: str) -> None:
    request = AzureProvider(CLASSIC, {}).request(a_call(body=CHAT, query=query), "k")
    assert request.url.partition("?")[2] == sent


def test_v1_request_is_openais() -> None:
    for path in ("/chat/completions", "/responses", "/files", "/images/edits"):
        call = a_call(path, CHAT, query="a=1&api-version=2024-10-21")
        for mapper in ({}, {"gpt-4.1": "gpt-4.1"}):
            request = AzureProvider(V1, mapper).request(call, "k")
            assert request.url == f"{HOST}/openai/v1{path}?a=1"
            assert request.body is call.body
            assert request.deployment == "gpt-4.1"


@pytest.mark.parametrize(("surface", "path"), [(V1, "/chat/completions"), (CLASSIC, "/responses")])
def test_body_names_the_deployment_where_the_url_does_not(surface: Surface, path: str) -> None:
    provider = AzureProvider(surface, {"gpt-4.1": "mine"})
    request = provider.request(a_call(path, CHAT), "k")
    assert request.body == b'{"model": "mine", "messages": []}'
    assert request.deployment == "mine"


def answer(provider: AzureProvider, path: str, method: str = "GET") -> Any:
    document = provider.own_answer(a_call(path, method=method))
    return document and json.loads(document)


@both_surfaces
def test_models_are_those_of_the_mapper(surface: Surface) -> None:
    provider = AzureProvider(surface, {"gpt-4o": "mine"}, "gpt-5")
    listed = answer(provider, "/models")
    assert listed["object"] == "list"
    names = ["gpt-3.5-turbo", "gpt-3.5-turbo-0301", "gpt-4o", "gpt-5"]
    assert [model["id"] for model in listed["data"]] == names
    assert answer(provider, "/models/gpt-4%6F") == listed["data"][2]
    assert set(listed["data"][2]) == {"id", "object", "created", "owned_by"}


@pytest.mark.parametrize(
    ("path", "method"),
    [("/models/unknown", "GET"), ("/models", "POST"), ("/files", "GET"), ("/gpt-3.5-turbo", "GET")],
)
def test_azure_gives_the_other_answers(path: str, method: str) -> None:
    assert answer(AzureProvider(CLASSIC, {}), path, method) is None


def read_surface(endpoint: str, version: str) -> Surface:
    environ = {"AZURE_OPENAI_ENDPOINT": endpoint, "AZURE_OPENAI_APIVERSION": version}
    settings = read_settings(environ)
    return surface_of(settings.azure_endpoint, settings.azure_api_version)


@pytest.mark.parametrize(
    ("endpoint", "version", "query"),
    [
        (HOST, "", "api-version=2023-03-15-preview"),
        (f"{HOST}/", "2024-10-21", "api-version=2024-10-21"),
        (f" {HOST}/openai/ ", "2024-08-01-preview", "api-version=2024-08-01-preview"),
    ],
)
def test_endpoint_with_a_date_is_the_classic_surface(
    endpoint: str, version: str, query: str
) -> None:
    assert read_surface(endpoint, version) == Surface(f"{HOST}/openai", query, is_v1=False)


@pytest.mark.parametrize(
    ("endpoint", "version", "query"),
    [
        (HOST, "v1", ""),
        (f"{HOST}/openai", "v1", ""),
        (f"{HOST}/openai/v1", "", ""),
        (f"{HOST}/openai/v1/", "v1", ""),
        (f"{HOST}/openai/v1", "preview", "api-version=preview"),
        (HOST, "latest", "api-version=latest"),
    ],
)
def test_endpoint_or_version_selects_the_v1_surface(
    endpoint: str, version: str, query: str
) -> None:
    assert read_surface(endpoint, version) == Surface(f"{HOST}/openai/v1", query, is_v1=True)


@pytest.mark.parametrize(
    ("endpoint", "version", "variable"),
    [
        ("", "", "AZURE_OPENAI_ENDPOINT"),
        ("r.openai.azure.com", "", "AZURE_OPENAI_ENDPOINT"),
        (f"{HOST}/v1", "", "AZURE_OPENAI_ENDPOINT"),
        (f"{HOST}/openai/deployments/x", "", "AZURE_OPENAI_ENDPOINT"),
        (f"{HOST}/openai?api-version=1", "", "AZURE_OPENAI_ENDPOINT"),
        ("https://k:s@r.openai.azure.com", "", "AZURE_OPENAI_ENDPOINT"),
        (HOST, "2024-10-21T00:00:00.000Z", "AZURE_OPENAI_APIVERSION"),
        (HOST, "v2", "AZURE_OPENAI_APIVERSION"),
        (f"{HOST}/openai/v1", "2024-10-21", "AZURE_OPENAI_APIVERSION"),
    ],
)
def test_invalid_surface_is_named(endpoint: str, version: str, variable: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_surface(endpoint, version)
    assert caught.value.variable == variable
