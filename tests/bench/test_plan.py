from __future__ import annotations

from bench.measurement.plan import QUICK, Plan, in_turns


def test_full_plan_does_everything() -> None:
    assert Plan().times(40) == 40


def test_quick_plan_does_a_part_but_never_nothing() -> None:
    assert QUICK.times(40) == 4
    assert QUICK.times(3) == 1


def test_each_round_has_everything_and_begins_with_another() -> None:
    assert list(in_turns(["a", "b", "c"], 3)) == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]


def test_more_rounds_than_things_begin_anew() -> None:
    assert list(in_turns(["a", "b"], 3)) == ["a", "b", "b", "a", "a", "b"]


def test_nothing_to_do_in_turns() -> None:
    assert list(in_turns([], 3)) == []
