"""The options of `npm run chat`, also those that npm takes for its own."""

from __future__ import annotations

import pytest

from local.errors import ConfigurationError
from scripts.access.errors import ToolError
from scripts.chat.command_line import LOCAL_URL, LOCAL_WEBSOCKET_URL, parse

CHAT = {"npm_lifecycle_event": "chat"}


def test_local_stack_is_the_default() -> None:
    options = parse([], {})
    assert (options.http_url, options.ws_url) == (LOCAL_URL, LOCAL_WEBSOCKET_URL)
    assert (options.prompt, options.over_websocket) == (None, False)
    assert parse(["--stage", "dev"], {}).http_url == ""
    for url in ("http://x/ai", "http://x/ai/", "http://x/ai/v1", "http://x/ai/v1/"):
        assert parse(["--http-url", url], {}).http_url == "http://x/ai"
    assert "fk-secret" not in repr(parse(["--key", "fk-secret"], {}))


def test_options_without_two_hyphens_count_or_are_explained() -> None:
    taken = CHAT | {"npm_config_stage": "dev"}
    assert parse(["Hi"], taken).stage == "dev"
    assert parse(["dev"], CHAT | {"npm_config_stage": "true"}).stage == "dev"
    with pytest.raises(ConfigurationError, match="npm run chat -- --stage STAGE"):
        parse(["dev", "Hi"], CHAT | {"npm_config_stage": "true"})
    with pytest.raises(ToolError, match="npm run chat -- -m MODEL"):
        parse(["Hi"], CHAT | {"npm_config_message": "gemma3"})
    # The message of a user's .npmrc is npm's.
    assert parse(["Hi"], CHAT | {"npm_config_message": "release: %s"}).model == ""


def test_address_after_the_option_of_a_transport_is_no_prompt() -> None:
    for option, other in (("--url", "--http-url"), ("--ws", "--ws-url")):
        for address in ("http://127.0.0.1:3100", "wss://x.example/dev"):
            with pytest.raises(ToolError, match=f"npm run chat -- {other} ADDRESS"):
                parse([option, address], {})
    assert parse(["http://x.example"], {}).prompt == "http://x.example"
