"""Cases follow from a seed, and each fault has its turn."""

from __future__ import annotations

from tests.faults.cases import Border, case_of
from tests.faults.table import FAULTS, NO_FAULT


def test_seed_makes_the_same_cases_again_and_another_seed_others() -> None:
    def cases(seed: int) -> list[tuple[str, object]]:
        made = (case_of(seed, number, FAULTS) for number in range(100))
        return [(str(case), case.faults) for case in made]

    assert cases(1) == cases(1)
    assert cases(1) != cases(2)


def test_each_round_has_each_fault_and_no_case_has_two_of_a_border() -> None:
    for first in (0, len(FAULTS)):
        cases = [case_of(7, first + number, FAULTS) for number in range(len(FAULTS))]
        assert {case.faults[0] for case in cases} == set(FAULTS)
        for case in cases:
            assert len({fault.border for fault in case.faults}) == len(case.faults)
            assert all(case.way in fault.ways for fault in case.faults)


def test_fault_strikes_as_often_as_it_says_and_decides_what_is_right() -> None:
    twice = next(fault for fault in FAULTS if fault.times == 2)
    number = next(n for n in range(1000) if case_of(1, n, FAULTS).faults == (twice,))
    case = case_of(1, number, FAULTS)
    assert case.allowed() == NO_FAULT.leads_to
    assert case.strike(Border.UPSTREAM) is None
    struck = [case.strike(twice.border, twice.moment) for _ in range(3)]
    assert struck == [twice, twice, None]
    assert case.allowed() == NO_FAULT.leads_to | twice.leads_to
