"""docs/chat-log.md shows commands and fields that exist, and the permissions the tool needs."""

from __future__ import annotations

import json
import re
import shlex
import time
from typing import TYPE_CHECKING, Any

import boto3

from scripts.chatlog.cloudwatch import chat_lines
from scripts.chatlog.command_line import TARGETS, command_line
from sluice.completions.transcript import ASKED_WITH, OTHER_PARTS, SAID_IN
from tests.child_environment import ROOT

if TYPE_CHECKING:
    import pytest

PAGE = (ROOT / "docs" / "chat-log.md").read_text(encoding="utf-8")
LINE, POLICY = map(json.loads, re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
GROUP = re.compile(r"arn:aws:logs:us-east-1:123456789012:log-group:(.*):\*")


def test_commands_that_are_shown_exist() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"npm run chatlog -- (.*)", "".join(blocks))
    chosen = [command_line().parse_args(shlex.split(line, comments=True)) for line in lines]
    assert {each.to for each in chosen} == set(TARGETS)
    assert any(each.stage for each in chosen)
    assert any(each.source for each in chosen)


def test_every_option_and_target_is_explained() -> None:
    for option in ("--from", "--stage", "--region", "--since", "--to", "-o", *TARGETS):
        assert re.search(rf"^\| .*`{option}`", PAGE, re.MULTILINE), option


def test_every_field_of_a_conversation_is_explained() -> None:
    usual = (ROOT / "docs" / "protocols.md").read_text("utf-8")
    explained = "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))
    for name in (*SAID_IN, *ASKED_WITH, *OTHER_PARTS):
        assert f"`{name}`" in explained, name
    for name in LINE:
        assert f"`{name}`" in explained or f'"{name}"' in usual or f"`{name}`" in usual, name


def test_policy_allows_what_the_tool_does_and_nothing_else(
    account: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in account.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session()
    calls: list[tuple[str, str]] = []

    def note(model: Any, params: Any, **_: object) -> None:
        calls.append((f"logs:{model.name}", json.loads(params["body"])["logGroupName"]))

    (statement,) = POLICY["Statement"]
    groups = [GROUP.fullmatch(arn) for arn in statement["Resource"]]
    client = session.client("logs")
    named = [group[1] for group in groups if group]
    for name in named:
        client.create_log_group(logGroupName=name)
    session.events.register("before-call.cloudwatch-logs", note)
    assert list(chat_lines("sluice", "prod", int(time.time() * 1000), session)) == []
    assert calls == [(statement["Action"], name) for name in named]
    for name in named:
        client.delete_log_group(logGroupName=name)
    client.close()
