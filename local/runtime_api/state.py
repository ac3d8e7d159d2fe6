"""States of one execution environment at the Runtime API (no I/O).

Names and steps as in AWS's own server (aws/aws-lambda-runtime-interface-emulator, core/states.go).
A step that is missing in the table is answered 403 InvalidStateTransition and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where the runtime is in its loop."""

    STARTED = "RuntimeStarted"
    INIT_ERROR = "RuntimeInitError"
    READY = "RuntimeReady"
    RUNNING = "RuntimeRunning"
    INVOCATION_RESPONSE = "RuntimeInvocationResponse"
    INVOCATION_ERROR = "RuntimeInvocationErrorResponse"
    RESPONSE_SENT = "RuntimeResponseSent"


class Step(StrEnum):
    """What changes the state: a call to the Runtime API, or Lambda itself."""

    NEXT = "next"
    EVENT_SENT = "event sent"
    RESPONSE = "response"
    ERROR = "error"
    ANSWER_READ = "answer read"
    INIT_ERROR = "init/error"


_S = State
TRANSITIONS: Mapping[State, Mapping[Step, State]] = {
    _S.STARTED: {Step.NEXT: _S.READY, Step.INIT_ERROR: _S.INIT_ERROR},
    _S.INIT_ERROR: {},
    _S.READY: {Step.NEXT: _S.READY, Step.EVENT_SENT: _S.RUNNING},
    # A runtime that requests an event before it answered gets the same event again.
    _S.RUNNING: {
        Step.NEXT: _S.RUNNING,
        Step.RESPONSE: _S.INVOCATION_RESPONSE,
        Step.ERROR: _S.INVOCATION_ERROR,
    },
    _S.INVOCATION_RESPONSE: {Step.ANSWER_READ: _S.RESPONSE_SENT},
    _S.INVOCATION_ERROR: {Step.ANSWER_READ: _S.RESPONSE_SENT},
    _S.RESPONSE_SENT: {Step.NEXT: _S.READY},
}


class InvalidStateTransitionError(Exception):
    """The runtime may not make this call now."""

    def __init__(self, state: State, step: Step) -> None:
        super().__init__(f"State transition from {state.value} failed for runtime: {step.value}")
        self.state = state
        self.step = step


class RuntimeState:
    """The state of one execution environment, at first STARTED."""

    def __init__(self) -> None:
        self.now = State.STARTED

    def take(self, step: Step) -> None:
        """Take `step`, or raise InvalidStateTransitionError and change nothing."""
        state = TRANSITIONS[self.now].get(step)
        if state is None:
            raise InvalidStateTransitionError(self.now, step)
        self.now = state
