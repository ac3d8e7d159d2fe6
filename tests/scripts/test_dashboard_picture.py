"""docs/dashboard.svg shows the dashboard as it is deployed."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # the picture is ours

from scripts.dashboard_picture import (
    NOTE,
    PICTURE,
    columns_of,
    picture,
    series_of,
    widgets,
)

TEXT = "{http://www.w3.org/2000/svg}text"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(TEXT)]  # noqa: S314


def test_picture_is_made_from_the_widgets() -> None:
    assert PICTURE.read_text("utf-8") == picture(widgets()), "run `npm run docs`"


def test_picture_names_each_series_and_column_and_says_that_its_figures_are_made_up() -> None:
    shown = texts(PICTURE.read_text("utf-8"))
    assert NOTE in shown
    for widget in widgets():
        properties = widget["properties"]
        if widget["type"] == "text":
            continue
        named = columns_of(properties["query"]) if widget["type"] == "log" else series_of(widget)
        assert named
        assert {properties["title"], *named} <= set(shown)


def test_columns_are_those_of_the_query() -> None:
    query = "filter ispresent(a) | stats count(*) as n, sum(b) / 2 as half"
    query += " by coalesce(a, c) as x, d | sort n"
    assert columns_of(query) == ["x", "d", "n", "half"]


def test_widget_that_does_not_fit_begins_a_new_row() -> None:
    metric = {"metrics": [["N", "M", {"label": "m"}]], "view": "timeSeries"}
    rows = [
        {"type": "metric", "width": width, "height": 6, "properties": {"title": title, **metric}}
        for title, width in (("one", 16), ("two", 8), ("three", 8))
    ]
    places = [
        (int(element.get("x", "")), int(element.get("y", "")))
        for element in ET.fromstring(picture(rows)).iter(TEXT)  # noqa: S314
        if element.text in ("one", "two", "three")
    ]
    (first_x, first_y), (second_x, second_y), (third_x, third_y) = places
    assert first_x == third_x < second_x
    assert first_y == second_y < third_y
