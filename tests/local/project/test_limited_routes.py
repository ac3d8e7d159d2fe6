"""Limits of routes that no API has."""

from __future__ import annotations

import pytest

from local.project.limited_routes import unknown_routes

PREFIXED = {"OPENAI_ROUTE_PREFIX": "openai/", "EXTRA_ROUTE_PREFIX": '["/localai", "/gemini/"]'}


@pytest.mark.parametrize(
    ("prefixes", "routes", "are_known"),
    [
        ({}, ["/v1/chat/completions", "/v1/", "/", "/V1/Chat"], True),
        ({}, ["/openai/v1/chat/completions", "/v11", "/chat/completions"], False),
        ({"OPENAI_ROUTE_PREFIX": "/openai/v1"}, ["/openai/v1/chat", "/openai"], True),
        (PREFIXED, ["/openai/v1", "/localai/v1/chat/completions", "/gemini"], True),
        (PREFIXED, ["/v1/chat/completions", "/openai/chat/completions", "/local"], False),
    ],
)
def test_routes_of_no_api_are_named(
    prefixes: dict[str, str], routes: list[str], *, are_known: bool
) -> None:
    for route in routes:
        values = {**prefixes, "REQ_RATE_LIMIT": f'{{"{route}": "1/minute", "/": "9/minute"}}'}
        found = dict(unknown_routes(values))
        assert found.keys() == (set() if are_known else {"REQ_RATE_LIMIT"}), route
        assert all(f"No API is at {route}. Routes begin with " in text for text in found.values())


def test_wrong_values_are_left_to_the_functions() -> None:
    for text in ("", "x", "[]", '{"v1": "1/minute"}'):
        assert list(unknown_routes({"TOKEN_RATE_LIMIT": text})) == []
