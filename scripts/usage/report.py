"""Sums of what was used, by key, model and day (no I/O)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sluice.access.daily_usage import FIELDS, Usage
from sluice.access.records import MICRO

BY: Mapping[str, str] = {"key": "principal", "model": "model", "day": "day"}
"""What usage is grouped by, and where a Usage has it."""
IN_USD = {"micro_usd": "usd", "saved_micro_usd": "saved_usd"}
"""Counts of micro-USD, and what reports call them."""


class Row(NamedTuple):
    """labels: one for each thing that usage is grouped by. counts: of daily_usage.FIELDS."""

    labels: tuple[str, ...]
    counts: Mapping[str, int]

    @property
    def tokens(self) -> int:
        return self.counts["input_tokens"] + self.counts["output_tokens"]

    def document(self, by: Sequence[str]) -> dict[str, Any]:
        """For programs: USD instead of micro-USD."""
        counts = {name: count for name, count in self.counts.items() if name not in IN_USD}
        usd = {IN_USD[name]: self.counts[name] / MICRO for name in IN_USD}
        return {**dict(zip(by, self.labels, strict=True)), **counts, **usd}


def grouped(usages: Iterable[Usage], by: Sequence[str]) -> list[Row]:
    """One row for each group, in the order of their labels."""
    sums: dict[tuple[str, ...], Mapping[str, int]] = {}
    for usage in usages:
        labels = tuple(getattr(usage, BY[name]) for name in by)
        sums[labels] = _sum([usage.counts, sums.get(labels, {})])
    return [Row(labels, sums[labels]) for labels in sorted(sums)]


def total(rows: Iterable[Row]) -> Row:
    """The sum of all rows, without labels."""
    return Row((), _sum(row.counts for row in rows))


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    all_counts = list(counts)
    return {name: sum(each.get(name, 0) for each in all_counts) for name in FIELDS}
