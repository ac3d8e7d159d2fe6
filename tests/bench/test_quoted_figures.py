"""The README and docs/performance.md quote what the benches printed, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULT = re.compile(r"\(\[[\w ]+\]\((bench/results/\w+\.md)\)\)")
FIGURE = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")
RATIO = re.compile(r"\d+\.\d\d")
GOAL_ROW = re.compile(r"^\| (.+) \| (.+) \| `(\w+)` \|$", re.MULTILINE)


def speed_section() -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return readme.partition("## Speed\n")[2].partition("\n## ")[0]


def quotes() -> list[tuple[str, str]]:
    """Each stretch of the section, and the page that it says it is from."""
    parts = RESULT.split(speed_section())
    return list(zip(parts[::2], parts[1::2], strict=False))


@pytest.mark.parametrize(("text", "page"), quotes(), ids=[page for _, page in quotes()])
def test_every_figure_of_the_readme_is_on_the_page_it_names(text: str, page: str) -> None:
    figures = FIGURE.findall(text)
    assert figures
    printed = set(FIGURE.findall((ROOT / page).read_text(encoding="utf-8")))
    assert [figure for figure in figures if figure not in printed] == []


def test_ratios_of_a_start_and_of_the_relay_are_those_of_their_pages() -> None:
    text = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    goals = text.partition("## Goals\n")[2].partition("\n## ")[0]
    rows = [row for row in GOAL_ROW.findall(goals) if row[2] in ("cold_start", "relay")]
    assert len(rows) == 5
    for goal, measured, bench in rows:
        printed = (ROOT / f"bench/results/{bench}.md").read_text(encoding="utf-8")
        ratios = RATIO.findall(measured)
        assert ratios, goal
        assert [ratio for ratio in ratios if ratio not in printed] == [], goal
