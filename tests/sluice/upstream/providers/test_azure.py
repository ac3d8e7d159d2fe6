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
FORM_TYPE = "multipart/form-data; boundary=b"


def of_model(model: str) -> bytes:
    return json.dumps({"model": model}).encode()


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/images/generations",
        "/images/edits",
        "/audio/transcriptions",
        "/audio/translations",
        "/audio/speech",
    ],
)
def test_classic_path_of_a_deployment(path: str) -> None:
    request = AzureProvider(CLASSIC, {}).request(a_call(path, of_model("gpt-4o")), "k")
    assert request.url == f"{HOST}/openai/deployments/gpt-4o{path}?api-version=2024-10-21"
    assert request.deployment == "gpt-4o"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/responses"),
        ("GET", "/responses/resp_1"),
        ("POST", "/responses/resp_1/cancel"),
        ("POST", "/files"),
        ("GET", "/files/file-1/content"),
        ("POST", "/batches"),
        ("POST", "/fine_tuning/jobs"),
        ("POST", "/assistants"),
        ("POST", "/threads/t/runs"),
        ("POST", "/vector_stores"),
        ("GET", "/chat/completions"),
        ("DELETE", "/models/m"),
    ],
)
def test_classic_path_without_a_deployment(method: str, path: str) -> None:
    request = AzureProvider(CLASSIC, {}).request(a_call(path, method=method), "k")
    assert request.url == f"{HOST}/openai{path}?api-version=2024-10-21"


@pytest.mark.parametrize(
    ("model", "deployment"),
    [
        pytest.param("gpt-3.5-turbo", "gpt-35-turbo", id="the-default-mapper"),
        pytest.param("gpt-3.5-turbo-0301", "gpt-35-turbo-0301", id="the-default-mappers-other"),
        pytest.param("gpt-4o", "Mine_1.2", id="the-mapper"),
        pytest.param("gpt-3.5-turbo-16k", "gpt-35-turbo-16k", id="without-dots"),
        pytest.param("ft:gpt-4.1:me", "ftgpt-41me", id="without-colons"),
        pytest.param("a/b ü?#%2e", "a%2Fb%20%C3%BC%3F%23%252e", id="percent-encoded"),
        pytest.param("../x", "%2Fx", id="never-a-way-up"),
    ],
)
def test_classic_deployment_of_a_model(model: str, deployment: str) -> None:
    provider = AzureProvider(CLASSIC, {"gpt-4o": "Mine_1.2"})
    call = a_call(body=of_model(model))
    request = provider.request(call, "k")
    assert request.url.split("/")[5] == deployment
    assert request.body is call.body


def test_the_mapper_may_say_otherwise_than_the_default() -> None:
    provider = AzureProvider(CLASSIC, {"gpt-3.5-turbo": "old"})
    assert provider.request(a_call(body=of_model("gpt-3.5-turbo")), "k").deployment == "old"


def test_deployment_of_a_form_is_its_models() -> None:
    call = a_call("/audio/transcriptions", FORM, content_type=FORM_TYPE)
    request = AzureProvider(CLASSIC, {"whisper-1": "ear"}).request(call, "k")
    assert "/deployments/ear/audio/transcriptions?" in request.url
    assert request.body is call.body


@pytest.mark.parametrize("body", [b"{}", b"", b'{"model": 1}', of_model("..:")])
def test_call_that_needs_a_deployment_and_names_no_model(body: bytes) -> None:
    with pytest.raises(InvalidField) as caught:
        AzureProvider(CLASSIC, {}).request(a_call(body=body), "k")
    assert caught.value.param == "model"


def test_default_model_serves_a_call_that_names_none() -> None:
    request = AzureProvider(CLASSIC, {}, "gpt-3.5-turbo").request(a_call(), "k")
    assert request.deployment == "gpt-35-turbo"
    assert AzureProvider(CLASSIC, {}, "m").request(a_call("/files"), "k").body == b"{}"


@pytest.mark.parametrize("surface", [CLASSIC, V1], ids=["classic", "v1"])
def test_headers_have_the_api_key_and_nothing_of_the_clients_own(surface: Surface) -> None:
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
def test_query_is_kept_less_the_clients_api_version(query: str, sent: str) -> None:
    request = AzureProvider(CLASSIC, {}).request(a_call(body=CHAT, query=query), "k")
    assert request.url.partition("?")[2] == sent


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/files", "/images/edits"])
def test_v1_path_is_openais(path: str) -> None:
    call = a_call(path, CHAT, query="a=1&api-version=2024-10-21")
    request = AzureProvider(V1, {}).request(call, "k")
    assert request.url == f"{HOST}/openai/v1{path}?a=1"
    assert request.body is call.body
    assert request.deployment == "gpt-4.1"


@pytest.mark.parametrize(
    ("surface", "path"), [(V1, "/chat/completions"), (V1, "/responses"), (CLASSIC, "/responses")]
)
def test_body_names_the_deployment_where_the_url_does_not(surface: Surface, path: str) -> None:
    provider = AzureProvider(surface, {"gpt-4.1": "mine"})
    request = provider.request(a_call(path, CHAT), "k")
    assert request.body == b'{"model": "mine", "messages": []}'
    assert request.deployment == "mine"


def test_body_that_names_its_deployment_already_is_the_very_same() -> None:
    call = a_call(body=CHAT)
    assert AzureProvider(V1, {"gpt-4.1": "gpt-4.1"}).request(call, "k").body is call.body


def test_v1_form_stays_as_it_is() -> None:
    call = a_call("/audio/transcriptions", FORM, content_type=FORM_TYPE)
    assert AzureProvider(V1, {"whisper-1": "ear"}).request(call, "k").body is call.body


def test_v1_call_without_a_model_gets_the_default_one_where_it_needs_one() -> None:
    provider = AzureProvider(V1, {}, "gpt-3.5-turbo")
    assert provider.request(a_call(), "k").body == b'{"model": "gpt-35-turbo"}'
    assert provider.request(a_call("/files"), "k").body == b"{}"


def answer(provider: AzureProvider, path: str, method: str = "GET") -> Any:
    document = provider.own_answer(a_call(path, method=method))
    return document and json.loads(document)


@pytest.mark.parametrize("surface", [CLASSIC, V1], ids=["classic", "v1"])
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
def test_it_leaves_other_answers_to_azure(path: str, method: str) -> None:
    assert answer(AzureProvider(CLASSIC, {}), path, method) is None


def test_it_mends_the_end_of_streams() -> None:
    assert AzureProvider(CLASSIC, {}).mends_stream_end
    assert AzureProvider(CLASSIC, {}).name == "azure"


def read_surface(endpoint: str, version: str) -> Surface:
    environ = {"AZURE_OPENAI_ENDPOINT": endpoint, "AZURE_OPENAI_APIVERSION": version}
    settings = read_settings(environ)
    return surface_of(settings.azure_endpoint, settings.azure_api_version)


@pytest.mark.parametrize(
    ("endpoint", "version", "root", "query", "is_v1"),
    [
        (HOST, "", "/openai", "api-version=2023-03-15-preview", False),
        (f"{HOST}/", "2024-10-21", "/openai", "api-version=2024-10-21", False),
        (f"{HOST}/openai", "2024-10-21", "/openai", "api-version=2024-10-21", False),
        (
            f" {HOST}/openai/ ",
            "2024-08-01-preview",
            "/openai",
            "api-version=2024-08-01-preview",
            False,
        ),
        (HOST, "v1", "/openai/v1", "", True),
        (f"{HOST}/openai", "v1", "/openai/v1", "", True),
        (f"{HOST}/openai/v1", "", "/openai/v1", "", True),
        (f"{HOST}/openai/v1/", "v1", "/openai/v1", "", True),
        (f"{HOST}/openai/v1", "preview", "/openai/v1", "api-version=preview", True),
        (HOST, "preview", "/openai/v1", "api-version=preview", True),
        (HOST, "latest", "/openai/v1", "api-version=latest", True),
    ],
)
def test_surface_is_chosen_by_endpoint_and_version(
    endpoint: str, version: str, root: str, query: str, *, is_v1: bool
) -> None:
    assert read_surface(endpoint, version) == Surface(HOST + root, query, is_v1=is_v1)


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
def test_wrong_surface_is_named(endpoint: str, version: str, variable: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_surface(endpoint, version)
    assert caught.value.variable == variable
