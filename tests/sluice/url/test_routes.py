"""What a path means, and what of it the log may show."""

from __future__ import annotations

import pytest

from sluice.errors import MethodNotAllowed, UnknownPath
from sluice.settings import read_settings
from sluice.upstream.targets import read_targets
from sluice.url.routes import Route, Routes

ENVIRON = {"EXTRA_BASE_URL": "https://x.example", "EXTRA_ROUTE_PREFIX": "/extra"}
TARGETS = read_targets(ENVIRON, read_settings(ENVIRON))
ROUTES = Routes([("GET", "/"), ("POST", "/"), ("GET", "/healthz")], TARGETS)


def test_path_belongs_to_the_target_of_its_prefix() -> None:
    chat = Route(TARGETS[0], "/chat/completions")
    assert ROUTES.target_of("POST", "/v1/chat/completions") == chat
    assert ROUTES.target_of("GET", "/extra/models") == Route(TARGETS[1], "/models")


@pytest.mark.parametrize(
    ("path", "asked", "deployment"),
    [
        ("/openai/deployments/gpt-4.1/chat/completions", "/chat/completions", "gpt-4.1"),
        ("/openai/deployments/a%2Fb%20c/completions", "/completions", "a/b c"),
        ("/openai/deployments/a/b/chat/completions", "/chat/completions", "a/b"),
        ("//openai/deployments//d//audio/speech/", "/audio/speech", "d"),
        ("/openai/deployments/d/embeddings", "/embeddings", "d"),
        ("/openai/v1/chat/completions", "/chat/completions", None),
        ("/openai/v1/files/f%20/content", "/files/f%20/content", None),
        ("/openai/models", "/models", None),
    ],
)
def test_path_of_azures_clients_means_the_main_api(
    path: str, asked: str, deployment: str | None
) -> None:
    route = Route(TARGETS[0], asked, deployment, is_azures=True)
    assert ROUTES.target_of("POST", path) == route
    below = {"OPENAI_ROUTE_PREFIX": "/below"}
    targets = read_targets(below, read_settings(below))
    assert Routes([], targets).target_of("POST", f"/below{path}") == route._replace(
        target=targets[0]
    )


def test_further_api_may_have_azures_prefix() -> None:
    environ = {"EXTRA_BASE_URL": "https://x.example", "EXTRA_ROUTE_PREFIX": "/openai"}
    targets = read_targets(environ, read_settings(environ))
    path = "/deployments/d/chat/completions"
    assert Routes([], targets).target_of("POST", f"/openai{path}") == Route(targets[1], path)


@pytest.mark.parametrize(
    "path",
    ["/v2/models", "/chat/completions", "/v1/../admin", "/favicon.ico", "/openai/../v1", "/openai"],
)
def test_unknown_path_names_the_available_ones(path: str) -> None:
    with pytest.raises(UnknownPath) as caught:
        ROUTES.target_of("POST", path)
    for available in ("/healthz", "POST /", "/v1/*", "/extra/*", "ends in /v1"):
        assert available in caught.value.message


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "//", ("HEAD", "GET", "POST")),
        ("POST", "/healthz", ("HEAD", "GET")),
        ("TRACE", "/v1/x", ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")),
    ],
)
def test_wrong_method_names_the_allowed_ones(
    method: str, path: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(MethodNotAllowed, match=method) as caught:
        ROUTES.target_of(method, path)
    assert caught.value.allowed == allowed


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/", "/"),
        ("//healthz/", "/healthz"),
        ("/my-password-in-the-path", "(unknown)"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/files/file-a1B2", "/v1/files/*"),
        ("/v1/models/my%20secret", "/v1/models/*"),
        ("/v1/Hello%2C%20I%20am", "/v1/*"),
        ("/v1/" + "x" * 40, "/v1/*"),
        ("/openai/deployments/gpt-4.1/embeddings", "/openai/deployments/*/embeddings"),
        ("//v1//files/f1/content", "//v1//files/*/content"),
    ],
)
def test_path_is_logged_without_what_a_client_may_have_put_into_it(path: str, logged: str) -> None:
    assert ROUTES.logged_path(path) == logged
