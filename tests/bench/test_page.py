from __future__ import annotations

import math

import pytest

from bench.measurement.page import NOTHING, number, ratio, skipped, table


def test_table_has_names_on_the_left_and_numbers_on_the_right() -> None:
    shown = table(["", "ms"], [["ours", "1.00"], ["theirs", "2.00"]])
    assert shown == "|  | ms |\n| --- | ---: |\n| ours | 1.00 |\n| theirs | 2.00 |\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1234, "0.12"),
        (-1.5, "-1.50"),
        (12.34, "12.3"),
        (123.4, "123"),
        (1234567.8, "1,234,568"),
        (math.nan, NOTHING),
    ],
)
def test_number_has_about_three_figures(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "reference", "shown"),
    [
        (3.0, 2.0, "1.50"),
        (math.nan, 2.0, NOTHING),
        (3.0, math.nan, NOTHING),
        (3.0, 0.0, NOTHING),
    ],
)
def test_ratio_needs_both_and_a_reference_above_nothing(
    value: float, reference: float, shown: str
) -> None:
    assert ratio(value, reference) == shown


def test_what_is_missing_is_listed() -> None:
    assert skipped([]) == ""
    assert skipped(["nginx: not on PATH"]) == "Not measured:\n\n* nginx: not on PATH\n\n"
