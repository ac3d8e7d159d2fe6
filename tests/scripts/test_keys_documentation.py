"""docs/keys.md shows commands that exist, and the permissions that the tools need."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import boto3
import pytest

from scripts.access.dynamodb import DynamoDbItems
from scripts.keys.command_line import FIELDS, PURPOSES
from scripts.keys.command_line import command_line as keys_command_line
from scripts.keys.commands import Records
from scripts.usage.command_line import command_line as usage_command_line
from sluice.access.daily_usage import PREFIX, RequestUsage, usage_change
from sluice.access.usage import Tokens
from tests.child_environment import ROOT
from tests.scripts.tool_stores import TABLE

PAGE = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
COMMANDS = {"keys": keys_command_line(), "usage": usage_command_line()}
GOVERNED_BY = {"TransactWriteItems": "UpdateItem"}


def test_commands_that_are_shown_exist() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    shown = "".join(blocks).replace("\\\n", " ")
    lines = re.findall(r"npm run (?:-s )?(\w+) -- (.*)", shown.replace(")", ""))
    assert {tool for tool, _ in lines} == set(COMMANDS)
    for tool, text in lines:
        words = shlex.split(re.split(r"[|>]", text)[0], comments=True)
        COMMANDS[tool].parse_args(words)


def test_every_command_and_option_is_explained() -> None:
    for command in PURPOSES:
        assert re.search(rf"`(npm run keys -- )?{command}( ALIAS)?`", PAGE), command
    for option, *_ in FIELDS.values():
        assert re.search(rf"^\| .*`{option}`", PAGE, re.MULTILINE), option


@pytest.mark.usefixtures("table")
def test_policy_allows_what_the_tools_do_and_nothing_else() -> None:
    session = boto3.Session()
    made: set[str] = set()
    keys: set[str] = set()

    def note(model: Any, params: Any, **_: object) -> None:
        made.add(model.name)
        keys.update(re.findall(r'"id": {"S": "(\w+ )', params["body"].decode()))

    session.events.register("before-call.dynamodb", note)
    store = DynamoDbItems(TABLE, session)
    records = Records(store)
    for principal in (None, "arn:aws:iam::123456789012:role/team"):
        records.create("team-a", {}, principal)
        records.update("team-a", {"rpm_limit": 1})
        assert records.all()
        if not principal:
            records.rotate("team-a")
        records.delete("team-a")
    used = usage_change("key 1", "team-a", "m", RequestUsage(Tokens(1, 0, 1), 1), 0)
    assert store.change_all([used])
    store.items(PREFIX)
    assert keys == {"alias ", "arn ", "key ", "usage "}
    statements = _policy()["Statement"]
    allowed = [action for each in statements for action in _list(each["Action"])]
    assert sorted(allowed) == sorted(f"dynamodb:{GOVERNED_BY.get(name, name)}" for name in made)
    condition = statements[1]["Condition"]["ForAllValues:StringLike"]
    assert {key.removesuffix("*") for key in condition["dynamodb:LeadingKeys"]} == keys
    assert all(each["Resource"].endswith("table/sluice-prod-state") for each in statements)


def _policy() -> Any:
    (block,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return json.loads(block)


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
