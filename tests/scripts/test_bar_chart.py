from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from scripts.bar_chart import Bar, Chart, svg, ticks

NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("longest", "marks"), [(41.0, [0, 20, 40, 60]), (0.31, [0, 0.1, 0.2, 0.3, 0.4]), (0.0, [0])]
)
def test_axis_ends_with_a_round_value(longest: float, marks: list[float]) -> None:
    assert ticks(longest) == pytest.approx(marks)


def test_chart_shows_names_units_values_and_ratios() -> None:
    bars = [Bar("ours", 10, is_ours=True), Bar("<theirs & others>", 20), Bar("missing", math.nan)]
    slow = Chart("Delay", "ms", bars, "<theirs & others>")
    fast = Chart("Speed", "MB/s", [Bar("ours", 1)], higher_is_better=True)
    picture = ET.fromstring(svg([slow, fast]))  # noqa: S314 - written by the module under test
    texts = {text.text for text in picture.iter(f"{NAMESPACE}text")}
    assert texts >= {"Delay", "ms (lower is better)", "0", "5", "Speed", "MB/s (higher is better)"}
    assert texts >= {"ours", "10.0  (0.50 \N{MULTIPLICATION SIGN})", "<theirs & others>"}
    assert "missing" not in texts
    ours, theirs, _ = [bar for bar in picture.iter(f"{NAMESPACE}rect") if bar.get("rx")]
    assert float(theirs.get("width", "")) == 2 * float(ours.get("width", ""))
    assert (ours.get("class"), theirs.get("class")) == ("ours", "other")
