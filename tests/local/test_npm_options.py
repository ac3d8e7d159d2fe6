"""Options that npm took for its own."""

from __future__ import annotations

import pytest

from local.errors import ConfigurationError
from local.npm_options import with_npm_options

NAMES = ("http_port", "ws_port", "host")
FLAGS = ("traces",)
START = {"npm_lifecycle_event": "start"}


@pytest.mark.parametrize(
    ("taken", "arguments", "expected"),
    [
        # npm 10, or --http-port=3100
        ({"http_port": "3100"}, [], ["--http-port", "3100"]),
        ({"ws_port": "1", "host": "::1"}, [], ["--ws-port", "1", "--host", "::1"]),
        ({"http_port": "3100"}, ["--http-port", "1"], ["--http-port", "3100", "--http-port", "1"]),
        # npm 11: `npm start --http-port 3100`
        ({"http_port": "true"}, ["3100"], ["--http-port", "3100"]),
        ({"http_port": "true", "host": "::1"}, ["1"], ["--http-port", "1", "--host", "::1"]),
        ({"traces": "true", "host": "true"}, ["::1"], ["--traces", "--host", "::1"]),
        # Not an option of the stack.
        ({"cache": "/x"}, ["--host", "::1"], ["--host", "::1"]),
    ],
)
def test_option_that_npm_took_counts(
    taken: dict[str, str], arguments: list[str], expected: list[str]
) -> None:
    environ = {f"npm_config_{name}": value for name, value in taken.items()}
    assert with_npm_options(arguments, environ | START, NAMES, FLAGS) == expected
    # A variable of an enclosing npm, such as that of `npm test`, says nothing.
    assert with_npm_options(arguments, environ, NAMES) == arguments


@pytest.mark.parametrize(
    ("taken", "arguments", "line"),
    [
        ({"http_port": "true"}, [], "npm start -- --http-port HTTP_PORT"),
        (
            {"http_port": "true", "ws_port": "true"},
            ["1", "2"],
            "npm start -- --http-port HTTP_PORT --ws-port WS_PORT",
        ),
        ({"ws_port": "true"}, ["1", "--host", "::1"], "npm start -- --ws-port WS_PORT"),
    ],
)
def test_unclear_values_are_an_error_with_the_line_to_write(
    taken: dict[str, str], arguments: list[str], line: str
) -> None:
    environ = {f"npm_config_{name}": value for name, value in taken.items()}
    with pytest.raises(ConfigurationError) as caught:
        with_npm_options(arguments, environ | START, NAMES)
    assert str(caught.value).endswith(f"Write them after --: {line}")


def test_other_scripts_have_lines_of_their_own() -> None:
    environ = {"npm_config_host": "true", "npm_lifecycle_event": "chat"}
    assert with_npm_options(["::1"], environ, NAMES) == ["::1"]
    assert with_npm_options(["::1"], environ, NAMES, event="chat") == ["--host", "::1"]
    with pytest.raises(ConfigurationError, match="npm run chat -- --host HOST"):
        with_npm_options([], environ, NAMES, event="chat")
