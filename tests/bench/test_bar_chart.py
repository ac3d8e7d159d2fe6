from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from bench.measurement.bar_chart import Bar, Chart, svg, ticks

NAMESPACE = "{http://www.w3.org/2000/svg}"


def drawn(*charts: Chart) -> ET.Element:
    return ET.fromstring(svg(charts))  # noqa: S314 - written by the module under test


def bars_of(picture: ET.Element) -> list[ET.Element]:
    return [rect for rect in picture.iter(f"{NAMESPACE}rect") if rect.get("rx")]


def texts_of(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{NAMESPACE}text")]


@pytest.mark.parametrize(
    ("longest", "marks"),
    [
        (41.0, [0, 20, 40, 60]),
        (4.0, [0, 1, 2, 3, 4]),
        (0.31, [0, 0.1, 0.2, 0.3, 0.4]),
        (18_056.0, [0, 5_000, 10_000, 15_000, 20_000]),
        (0.0, [0]),
    ],
)
def test_axis_ends_with_a_round_value(longest: float, marks: list[float]) -> None:
    assert ticks(longest) == pytest.approx(marks)


def test_bars_are_as_long_as_their_values_and_ours_stands_out() -> None:
    ours, other = bars_of(drawn(Chart("", "ms", [Bar("a", 20, is_ours=True), Bar("b", 10)])))
    assert float(ours.get("width", "")) == 2 * float(other.get("width", ""))
    assert (ours.get("class"), other.get("class")) == ("ours", "other")


def test_axis_says_its_unit_and_what_is_better() -> None:
    chart = Chart("Delay", "ms", [Bar("a", 1_500)])
    assert {"Delay", "ms (lower is better)", "0", "500", "1,500"} <= set(texts_of(drawn(chart)))
    fast = Chart("Speed", "MB/s", [], higher_is_better=True)
    assert "MB/s (higher is better)" in texts_of(drawn(fast))


def test_ratio_to_the_reference_stands_behind_the_value() -> None:
    bars = [Bar("ours", 10), Bar("theirs", 20)]
    compared = texts_of(drawn(Chart("", "ms", bars, "theirs")))
    assert "10.0  (0.50 \N{MULTIPLICATION SIGN})" in compared
    assert "10.0" in texts_of(drawn(Chart("", "ms", bars, "not there")))


def test_what_was_not_measured_has_no_bar() -> None:
    assert len(bars_of(drawn(Chart("", "ms", [Bar("a", math.nan), Bar("b", 1)])))) == 1
    assert len(bars_of(drawn(Chart("", "ms", []), Chart("", "MB", [Bar("a", 0)])))) == 1


def test_names_may_hold_what_means_something_in_xml() -> None:
    assert "<a & b>" in texts_of(drawn(Chart("<a & b>", "ms", [])))


def test_charts_do_not_overlap() -> None:
    picture = drawn(Chart("", "ms", [Bar("a", 1)] * 3), Chart("", "ms", [Bar("b", 1)]))
    tops = [float(bar.get("y", "")) for bar in bars_of(picture)]
    assert tops == sorted(set(tops))
    assert max(tops) < float(picture.get("height", ""))
