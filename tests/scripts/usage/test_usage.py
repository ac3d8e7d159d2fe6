"""`npm run usage` as people and programs see it, on the local store and on a stage's table."""

from __future__ import annotations

import csv
import io
import json
import os
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from scripts.usage.__main__ import main
from sluice.access.daily_usage import PREFIX, RequestUsage, usage_change
from sluice.access.usage import Savings, Tokens
from sluice.state.changes import Change
from tests.scripts.tool_runs import Tool
from tests.scripts.tool_stores import NOW, opened

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400
OLD_FORM = Change(f"{PREFIX}2027-01-15 key team-a", None, add={"requests gpt-x": 7})
EVIL = "=cmd|' /C calc'!A0\x1b[2J<&>"
USED = (
    # who, model, tokens, micro-USD, days ago, failed
    ("team-a", "gpt-x", Tokens(1000, 200, 50), 1_500_000, 0, False),
    ("team-a", "gpt-x", Tokens(10, 0, 5, is_estimated=True), 7, 0, True),
    ("team-a", "o3", Tokens(1, 0, 1), None, 1, False),
    ("team-b", EVIL, Tokens(2, 0, 2), 0, 29, False),
    ("team-b", "gpt-x", Tokens(1_000_000, 0, 0), 1, 30, False),
)


class UsageTool(Tool):
    def __init__(self, folder: Path, *place: str) -> None:
        environ = {**os.environ, "STATE_FILE": str(folder / "state.sqlite3")}
        super().__init__(main, folder, environ, *place)

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.document(*arguments)["rows"]
        return found


@pytest.fixture(params=["sqlite", "dynamodb"])
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> UsageTool:
    store = opened(request.param, request)
    assert store.change_all([OLD_FORM])
    for name, model, tokens, cost, days_ago, failed in USED:
        when = NOW - days_ago * DAY_S
        used = RequestUsage(tokens, cost, has_failed=failed)
        assert store.change_all([usage_change(f"key {name}", name, model, used, when)])
    return UsageTool(tmp_path, *(("--stage", "dev") if request.param == "dynamodb" else ()))


@pytest.fixture
def empty(tmp_path: Path) -> UsageTool:
    return UsageTool(tmp_path)


def test_table_has_thirty_days_by_key_and_a_total(tool: UsageTool) -> None:
    assert tool.said().splitlines() == [
        "Usage from 2026-12-17 to 2027-01-15 (UTC)",
        "",
        "KEY     REQUESTS  FAILURES  INPUT  CACHED  OUTPUT       USD  ESTIMATED  EST. TOKENS"
        "  UNPRICED",
        "team-a         3         1  1,011     200      56  1.500007          1           15"
        "         1",
        "team-b         1         0      2       0       2  0.000000          0            0"
        "         0",
        "total          4         1  1,013     200      58  1.500007          1           15"
        "         1",
        "UNPRICED requests have a model without a price: set MODEL_PRICES. They count as 0 USD.",
    ]


def test_rows_are_grouped_by_what_was_asked_for(tool: UsageTool) -> None:
    by_day = tool.rows("--by", "day")
    assert [(row["day"], row["requests"], row["usd"]) for row in by_day] == [
        ("2026-12-17", 1, 0.0),
        ("2027-01-14", 1, 0.0),
        ("2027-01-15", 2, 1.500007),
    ]
    rows = tool.rows("--by", "model,key", "--from", "2026-12-16", "--to", "2026-12-17")
    assert [(row["model"], row["key"]) for row in rows] == [(EVIL, "team-b"), ("gpt-x", "team-b")]
    assert rows[1]["input_tokens"] == 1_000_000
    assert "Nothing was counted" in tool.said("--from", "2020-01-01", "--to", "2020-01-02")
    assert "from 0001-01-01 to 0001-01-02" in tool.said("--to", "0001-01-02")


def test_json_has_all_counts_and_the_total(tool: UsageTool) -> None:
    document = tool.document()
    assert (document["from"], document["to"], document["by"]) == (
        "2026-12-17",
        "2027-01-15",
        ["key"],
    )
    assert document["rows"][0] == {
        "key": "team-a",
        "requests": 3,
        "failures": 1,
        "input_tokens": 1011,
        "cached_tokens": 200,
        "output_tokens": 56,
        "estimated_requests": 1,
        "estimated_tokens": 15,
        "unpriced_requests": 1,
        "cache_hits": 0,
        "saved_tokens": 0,
        "usd": 1.500007,
        "saved_usd": 0.0,
    }
    assert document["total"]["requests"] == 4


def test_what_the_cache_saved_has_columns_of_its_own(
    empty: UsageTool, request: pytest.FixtureRequest
) -> None:
    store = opened("sqlite", request)
    for saved in (None, Savings(1200, 2_500_000)):
        used = RequestUsage(Tokens(7, 0, 7), 1, saved)
        assert store.change_all([usage_change("a", "a", "m", used, NOW)])
    head, *_, last = empty.said().splitlines()[2:]
    assert head.endswith("  UNPRICED  CACHE HITS  SAVED TOKENS  SAVED USD")
    assert last.split()[-3:] == ["1", "1,200", "2.500000"]
    (row,) = empty.rows()
    assert [row[name] for name in ("cache_hits", "saved_tokens", "saved_usd")] == [1, 1200, 2.5]


def test_csv_has_a_line_for_each_row_that_no_spreadsheet_runs(tool: UsageTool) -> None:
    rows = list(csv.DictReader(io.StringIO(tool.said("--csv", "--by", "key,model"))))
    assert [(row["key"], row["model"], row["requests"]) for row in rows] == [
        ("team-a", "gpt-x", "2"),
        ("team-a", "o3", "1"),
        ("team-b", f"'{EVIL}", "1"),
    ]


def test_csv_has_small_and_large_amounts_as_plain_numbers(
    empty: UsageTool, request: pytest.FixtureRequest
) -> None:
    store = opened("sqlite", request)
    for name, micro_usd in (("a", 46), ("b", 1_234_567_890)):
        used = usage_change(name, name, "m", RequestUsage(Tokens(1, 0, 1), micro_usd), NOW)
        assert store.change_all([used])
    rows = csv.DictReader(io.StringIO(empty.said("--csv")))
    assert [row["usd"] for row in rows] == ["0.000046", "1234.567890"]


def test_what_clients_chose_does_nothing_to_a_terminal_or_a_picture(
    tool: UsageTool, tmp_path: Path
) -> None:
    assert "\x1b" not in tool.said("--by", "model")
    file = tmp_path / "usage.svg"
    code, out, err = tool.run("--by", "model", "--chart", str(file), "--json")
    assert (code, err, json.loads(out)["by"]) == (0, f"Wrote {file}.\n", ["model"])
    picture = ET.fromstring(file.read_text("utf-8"))  # noqa: S314 - written by the tool
    texts = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert texts >= {"USD", "thousand tokens", "gpt-x", "1.500007", "1,065"}
    assert EVIL.replace("\x1b", "\N{REPLACEMENT CHARACTER}") in texts


def test_chart_of_many_rows_has_the_largest_and_the_sum_of_the_others(
    empty: UsageTool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    store = opened("sqlite", request)
    for number in range(40):
        name = f"team-{number:02}-{'x' * 50}"
        tokens = Tokens(number, 0, 0)
        store.change_all([usage_change(name, name, "m", RequestUsage(tokens, number), NOW)])
    file = tmp_path / "usage.svg"
    empty.said("--chart", str(file))
    picture = file.read_text("utf-8")
    assert picture.count(">10 others<") == 2
    assert ">45<" in picture
    assert picture.count(f">team-39-{'x' * 31}\N{HORIZONTAL ELLIPSIS}<") == 2
    assert "is better" not in picture


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--by", "team"), "usage: --by: must be one or several of key,model,day."),
        (("--by", "key,key"), "usage: --by: must be one or several of"),
        (("--from", "yesterday"), "usage: --from: must be a day such as 2026-11-30"),
        (("--from", "2027-02-01"), "usage: --from must not be after --to (got 2027-02-01 and"),
        (("--json", "--csv"), "usage: --csv: not allowed with argument --json"),
        (("sk-sluice-key",), "usage: Unknown option or argument. All options: npm run usage -- "),
    ],
)
def test_wrong_command_line_says_what_was_expected(
    empty: UsageTool, arguments: tuple[str, ...], expected: str
) -> None:
    said = empty.error(*arguments)
    assert said.startswith(expected)
    assert "sk-sluice" not in said


def test_chart_that_cannot_be_written_is_said(tool: UsageTool, tmp_path: Path) -> None:
    code, _, err = tool.run("--chart", str(tmp_path))
    assert (code, err) == (
        1,
        f"usage: The chart {tmp_path} could not be written: Is a directory.\n",
    )
