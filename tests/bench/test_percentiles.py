from __future__ import annotations

import math

import pytest

from bench.measurement.percentiles import median, percentile, spread


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        pytest.param([3.0], 0.99, 3.0, id="one value is every percentile"),
        pytest.param([1.0, 2.0, 3.0], 0.5, 2.0, id="the middle one"),
        pytest.param([1.0, 2.0], 0.5, 1.5, id="between two by their distance"),
        pytest.param([0.0, 10.0, 20.0, 30.0, 40.0], 0.9, 36.0, id="near the upper one"),
        pytest.param([1.0, 2.0, 3.0], 0.0, 1.0, id="the least"),
        pytest.param([1.0, 2.0, 3.0], 1.0, 3.0, id="the most"),
    ],
)
def test_percentile_of_ordered_values(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == pytest.approx(expected)


def test_order_in_which_values_came_does_not_matter() -> None:
    assert median([9.0, 1.0, 5.0]) == 5.0
    assert spread(float(n) for n in reversed(range(101))).p99 == 99.0


def test_nothing_measured_is_no_number() -> None:
    assert math.isnan(spread([]).p50)
    assert math.isnan(median([]))
