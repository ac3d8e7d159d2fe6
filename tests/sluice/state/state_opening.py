"""How the tests of the state stores open them, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sluice.aws.json_api import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.state.store import StateStore

TABLE = "sluice-test-state"
NOW = 1_700_000_000.0
LATER = NOW + 60
PATIENT = Limits(connect_s=120.0, reply_s=120.0, total_s=120.0, attempts=3)
"""moto answers one request at a time, on a machine that does much else."""


class Opening(Protocol):
    """Opens the store under test once more, as another process would."""

    def __call__(self, clock: Callable[[], float] = ...) -> StateStore: ...


def at(now: float) -> Callable[[], float]:
    return lambda: now


NOW_ALWAYS = at(NOW)
