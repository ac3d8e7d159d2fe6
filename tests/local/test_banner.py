"""The banner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from local.banner import BannerFacts, banner
from local.project.environment import LocalPlace

DEMO = BannerFacts(
    place=LocalPlace("127.0.0.1", 3000, 3001, "http://127.0.0.1:43211/v1"),
    url_auth="aws_iam",
    websocket_auth="none",
    upstream="unused",
    own_keys=False,
    has_forward_key=False,
)
EVERYWHERE = LocalPlace("0.0.0.0", 1, 2)  # noqa: S104


def test_banner_of_a_first_start() -> None:
    assert banner(DEMO) == (
        "Sluice is running locally.\n"
        "  Playground     http://127.0.0.1:3000/   (open it in a browser)\n"
        "  Function URL   http://127.0.0.1:3000   (auth: aws_iam, requires signed requests "
        "or the key local)\n"
        "  WebSocket      ws://127.0.0.1:3001     (auth: none, loopback only)\n"
        "  Upstream       demo model at http://127.0.0.1:43211/v1; answers come from the demo "
        "model. Set OPENAI_API_KEY or OPENAI_BASE_URL in .env, or add --model gemma3, for a real "
        "one.\n"
        "\n"
        "Try it:\n"
        "  curl -N --aws-sigv4 aws:amz:us-east-1:lambda --user local:local "
        "'http://127.0.0.1:3000/?message=Hello'\n"
        "  sleep 10 | npx wscat -c ws://127.0.0.1:3001 -x "
        """'{"action":"sendmessage","data":"Hello"}' -w 10\n"""
        '  OpenAI(base_url="http://127.0.0.1:3000/v1", api_key="local")\n'
        "\n"
        "Ready. Press Ctrl-C to stop."
    )


OWN = replace(
    DEMO, own_keys=True, has_forward_key=True, websocket_auth="forward_key", upstream="https://api"
)


@pytest.mark.parametrize(
    ("facts", "shown", "hidden"),
    [
        (
            replace(OWN, place=LocalPlace("::", 1, 2), overview=(("Cache", "off"),)),
            [
                "  Cache          off\n",
                "requires signed requests by AWS_ACCESS_KEY_ID of the shell or .env)",
                '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
                'wscat -c ws://[::1]:2 -H "Authorization: Bearer $FORWARD_KEY"',
                "  Upstream       https://api\n",
            ],
            ["loopback only", "OpenAI("],
        ),
        (
            replace(DEMO, url_auth="none", has_forward_key=True),
            [
                'curl -N -H "Authorization: Bearer $FORWARD_KEY" \'http://',
                "(auth: none, requires a forward key)",
                'OpenAI(base_url="http://127.0.0.1:3000/v1", api_key=os.environ["FORWARD_KEY"])',
            ],
            [],
        ),
        (
            replace(DEMO, websocket_auth="aws_iam"),
            ["ws://127.0.0.1:3001 requires a presigned URL"],
            ["wscat"],
        ),
        *(
            (
                replace(DEMO, websocket_auth=mode),
                [
                    "(auth: forward_key; rejects every client until FORWARD_KEY is set)\n",
                    "  Set FORWARD_KEY in .env to connect to ws://127.0.0.1:3001\n",
                ],
                ["wscat"],
            )
            for mode in ("forward_key", "")
        ),
        (replace(DEMO, place=EVERYWHERE, own_keys=True), [], ["  Note  "]),
        (replace(DEMO, api_path="/ai/v1"), ['(base_url="http://127.0.0.1:3000/ai/v1"'], []),
    ],
)
def test_banner_shows_only_what_works(
    facts: BannerFacts, shown: list[str], hidden: list[str]
) -> None:
    text = banner(facts)
    assert [part for part in shown if part not in text] == []
    assert [part for part in hidden if part in text] == []


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"has_forward_key": True}, "Set WEBSOCKET_AUTH=forward_key to require one"),
        ({"has_forward_key": True}, "Set FUNCTION_URL_AUTH=none to require one"),
        ({"url_auth": "none", "has_forward_key": True}, "one of the keys in your .env"),
        ({"names_another_api": True}, "API_GW_ENDPOINT counts in a deployment: here,"),
        ({"unencrypted": ("OPENAI_BASE_URL",)}, "OPENAI_BASE_URL is http://: the key and all"),
        ({"chat_file": "/x/chat.jsonl"}, "messages and answers are logged, also in /x/chat.jsonl"),
    ],
)
def test_surprising_settings_are_noted(changes: dict[str, Any], note: str) -> None:
    lines = banner(replace(DEMO, **changes)).splitlines()
    assert any(note in line for line in lines if line.startswith("  Note  "))
