from __future__ import annotations

import math

import pytest

from bench.measurement.percentiles import median, percentile, spread


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3.0], 0.99, 3.0),
        ([1.0, 2.0], 0.5, 1.5),
        ([0.0, 10.0, 20.0, 30.0, 40.0], 0.9, 36.0),
        ([1.0, 2.0, 3.0], 1.0, 3.0),
    ],
    ids=["one value", "middle of two", "near the upper one", "maximum"],
)
def test_percentile_is_interpolated(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == pytest.approx(expected)


def test_values_may_come_in_any_order_or_be_missing() -> None:
    assert median([9.0, 1.0, 5.0]) == 5.0
    assert spread(float(n) for n in reversed(range(101))).p99 == 99.0
    assert math.isnan(spread([]).p50)
