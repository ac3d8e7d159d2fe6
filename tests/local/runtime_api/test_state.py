"""The states of the Runtime API."""

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


def test_only_the_steps_of_the_table_change_the_state() -> None:
    assert set(TRANSITIONS) == set(State)
    for state, step in itertools.product(State, Step):
        runtime = RuntimeState()
        runtime.now = state
        if step in TRANSITIONS[state]:
            runtime.take(step)
            assert runtime.now is TRANSITIONS[state][step]
            continue
        with pytest.raises(InvalidStateTransitionError, match=f"from {state.value} failed") as e:
            runtime.take(step)
        assert (e.value.state, e.value.step, runtime.now) == (state, step, state)
