"""States of the Runtime API."""

from __future__ import annotations

import itertools

import pytest

from local.runtime_api.state import (
    TRANSITIONS,
    InvalidStateTransitionError,
    RuntimeState,
    State,
    Step,
)


def at(state: State) -> RuntimeState:
    found = RuntimeState()
    found.now = state
    return found


LEGAL = [(state, step) for state, steps in TRANSITIONS.items() for step in steps]
ILLEGAL = [pair for pair in itertools.product(State, Step) if pair not in LEGAL]


@pytest.mark.parametrize(("state", "step"), LEGAL)
def test_legal_step_is_taken(state: State, step: Step) -> None:
    runtime = at(state)
    runtime.take(step)
    assert runtime.now is TRANSITIONS[state][step]


@pytest.mark.parametrize(("state", "step"), ILLEGAL)
def test_illegal_step_names_the_state_and_changes_nothing(state: State, step: Step) -> None:
    runtime = at(state)
    with pytest.raises(InvalidStateTransitionError, match=f"from {state.value} failed") as caught:
        runtime.take(step)
    assert (caught.value.state, caught.value.step) == (state, step)
    assert runtime.now is state


def test_every_state_has_its_row() -> None:
    assert set(TRANSITIONS) == set(State)
