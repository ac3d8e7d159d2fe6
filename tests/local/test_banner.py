"""The banner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from local.banner import BannerFacts, banner, uses_own_keys
from local.project.environment import LocalPlace, UserSettings

DEMO = BannerFacts(
    place=LocalPlace("127.0.0.1", 3000, 3001, "http://127.0.0.1:43211/v1"),
    url_auth="aws_iam",
    websocket_auth="none",
    upstream="unused",
    own_keys=False,
    has_forward_key=False,
)


def test_banner_tells_everything_at_once() -> None:
    assert banner(DEMO) == (
        "Sluice on this machine\n"
        "  Function URL   http://127.0.0.1:3000   (aws_iam: signed requests only)\n"
        "  WebSocket      ws://127.0.0.1:3001     (auth: none, loopback only)\n"
        "  Upstream       demo model at http://127.0.0.1:43211/v1 (answers come from the demo "
        "model; set OPENAI_API_KEY or OPENAI_BASE_URL in .env for a real one)\n"
        "\n"
        "  curl -N --aws-sigv4 aws:amz:us-east-1:lambda --user local:local "
        "'http://127.0.0.1:3000/?message=Hello'\n"
        "  npx wscat -c ws://127.0.0.1:3001 -x "
        """'{"action":"sendmessage","data":"Hello"}' -w 10\n"""
        "Ready. Ctrl-C ends it."
    )


def test_own_keys_are_named_not_shown() -> None:
    facts = BannerFacts(
        LocalPlace("::", 1, 2),
        "aws_iam",
        "forward_key",
        "https://api.example",
        own_keys=True,
        has_forward_key=True,
    )
    told = banner(facts)
    assert '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"' in told
    assert 'wscat -c ws://[::1]:2 -H "Authorization: Bearer $FORWARD_KEY"' in told
    assert "  Upstream       https://api.example\n" in told
    assert "loopback only" not in told


def test_open_url_is_used_with_a_forward_key() -> None:
    facts = replace(DEMO, url_auth="none", has_forward_key=True)
    told = banner(facts)
    assert 'curl -N -H "Authorization: Bearer $FORWARD_KEY" \'http://' in told
    assert "(none: a key of FORWARD_KEY lets in)" in told


def test_signed_websocket_has_no_line_that_would_fail() -> None:
    told = banner(replace(DEMO, websocket_auth="aws_iam"))
    assert "wscat" not in told
    assert "ws://127.0.0.1:3001 takes presigned URLs only" in told


@pytest.mark.parametrize("mode", ["forward_key", ""])
def test_websocket_without_any_right_key_says_so(mode: str) -> None:
    told = banner(replace(DEMO, websocket_auth=mode))
    assert "(auth: forward_key; nobody can connect until FORWARD_KEY is set)\n" in told
    assert "  Set FORWARD_KEY in .env to connect to ws://127.0.0.1:3001\n" in told
    assert "wscat" not in told


def test_own_keys_are_a_whole_pair() -> None:
    pair = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    assert uses_own_keys(UserSettings(pair, {}))
    assert not uses_own_keys(UserSettings({"AWS_ACCESS_KEY_ID": "a"}, {}))


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"place": LocalPlace("0.0.0.0", 1, 2)}, "may sign with local:local"),  # noqa: S104
        ({"has_forward_key": True}, "WEBSOCKET_AUTH=forward_key makes it"),
        ({"url_auth": "none", "has_forward_key": True}, "one of the keys in your .env"),
        ({"logs_chats": True}, "messages and answers stand in the log"),
    ],
)
def test_what_may_surprise_is_noted(changes: dict[str, Any], note: str) -> None:
    noted = [line for line in banner(replace(DEMO, **changes)).splitlines() if "  Note  " in line]
    assert any(note in line for line in noted)


def test_own_keys_on_an_open_host_need_no_note() -> None:
    facts = replace(DEMO, place=LocalPlace("0.0.0.0", 1, 2), own_keys=True)  # noqa: S104
    assert "Note" not in banner(facts)
