from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from bench.measurement.bar_chart import OURS, Bar, Chart, svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


def drawn(*charts: Chart) -> ET.Element:
    return ET.fromstring(svg(charts))  # noqa: S314 - written by the module under test


def bars_of(picture: ET.Element) -> list[ET.Element]:
    return [rect for rect in picture.iter(f"{NAMESPACE}rect") if rect.get("rx")]


def texts_of(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{NAMESPACE}text")]


def test_bars_are_as_long_as_their_values() -> None:
    lengths = [
        float(bar.get("width", ""))
        for bar in bars_of(drawn(Chart("ms", [Bar("a", 10), Bar("b", 20)])))
    ]
    assert lengths[1] == 2 * lengths[0]


def test_ratio_to_the_reference_stands_behind_the_value() -> None:
    texts = texts_of(drawn(Chart("ms", [Bar("ours", 10), Bar("theirs", 20)], "theirs")))
    assert "10.0  (0.50 \N{MULTIPLICATION SIGN})" in texts


def test_without_reference_there_is_no_ratio() -> None:
    assert "10.0" in texts_of(drawn(Chart("ms", [Bar("ours", 10)], "not there")))


def test_ours_stands_out() -> None:
    colours = [
        bar.get("fill")
        for bar in bars_of(drawn(Chart("ms", [Bar("a", 1), Bar("b", 1, is_ours=True)])))
    ]
    assert colours[0] != OURS == colours[1]


def test_what_was_not_measured_has_no_bar() -> None:
    assert len(bars_of(drawn(Chart("ms", [Bar("a", math.nan), Bar("b", 1)])))) == 1


def test_nothing_measured_at_all_is_still_a_picture() -> None:
    assert texts_of(drawn(Chart("ms", []), Chart("MB", [Bar("a", 0)]))) == ["ms", "MB", "a", "0.00"]


def test_names_may_hold_what_means_something_in_xml() -> None:
    assert "<a & b>" in texts_of(drawn(Chart("<a & b>", [])))


def test_charts_do_not_overlap() -> None:
    picture = drawn(Chart("first", [Bar("a", 1)] * 3), Chart("second", [Bar("b", 1)]))
    tops = [float(bar.get("y", "")) for bar in bars_of(picture)]
    assert tops == sorted(tops)
    assert len(set(tops)) == 4
    assert max(tops) < float(picture.get("height", ""))
