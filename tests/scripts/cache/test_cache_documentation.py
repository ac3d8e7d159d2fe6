"""docs/cache.md shows commands and settings that exist, and the permissions that the tool needs."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import closing
from typing import Any

import boto3
import pytest

from scripts.access.dynamodb import DynamoDbItems
from scripts.cache.command_line import PURPOSES, command_line
from scripts.cache.dynamodb import DynamoDbEntries
from sluice.access.daily_usage import PREFIX
from sluice.cache.dynamodb import DynamoDbCache
from sluice.setting_values import CACHE_BACKENDS
from sluice.settings import ALL_SETTINGS
from tests.child_environment import ROOT
from tests.sluice.cache.cache_opening import LARGE

PAGE = (ROOT / "docs" / "cache.md").read_text(encoding="utf-8")
LATER = 4_000_000_000.0


def test_commands_that_are_shown_exist() -> None:
    (block,) = re.findall(r"^```sh\n(npm run cache.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"npm run cache -- (.*)", block)
    chosen = [command_line().parse_args(shlex.split(line, comments=True)) for line in lines]
    assert {each.command for each in chosen} == set(PURPOSES)


def test_every_option_setting_and_backend_is_explained() -> None:
    settings = [row.name for row in ALL_SETTINGS if row.name.startswith("CACHE_")]
    options = ("--stage", "--region", "--json", "--yes")
    for name in (*options, *settings, *CACHE_BACKENDS):
        assert re.search(rf"^\| `{name}`", PAGE, re.MULTILINE), name


def test_policy_allows_what_the_tool_does_and_nothing_else(
    table: str, cache_table: str, account: dict[str, str]
) -> None:
    session = boto3.Session()
    made: dict[str, set[str]] = {}

    def note(model: Any, params: Any, **_: object) -> None:
        name = r"sluice-dev-(?:state|cache)"
        named = {each.replace("dev", "prod") for each in re.findall(name, params["body"].decode())}
        made.setdefault(f"dynamodb:{model.name}", set()).update(named)

    session.events.register("before-call.dynamodb", note)
    with closing(DynamoDbCache(cache_table, account, lambda: 0.0)) as cache:
        cache.put("key", LARGE * 500, LATER)
    tool = DynamoDbEntries(cache_table, session)
    assert len(list(tool.entries())) == 1
    assert DynamoDbItems(table, session).items(PREFIX) == {}
    reading, writing = json.loads(
        re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]
    )["Statement"]
    allowed = {
        each["Action"]: {arn.rpartition("/")[2] for arn in each["Resource"]}
        for each in (reading, writing)
    }
    assert made.keys() == {reading["Action"]}
    assert tool.clear() == 1
    assert made == allowed


@pytest.mark.parametrize("kilobytes", [2, 6, 50])
def test_prices_are_what_the_units_cost(kilobytes: int) -> None:
    read, write = 0.125, 0.625
    hit = read * -(-kilobytes // 4) / 2
    miss = read / 2 + write * kilobytes
    assert f"| {kilobytes} KB | {hit + 1e-9:.2f} | {miss + 1e-9:.2f} |" in PAGE
