"""The environment of processes that tests start: bare, so that the user's settings do not count."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYERS = os.pathsep.join(
    str(ROOT / folder) for folder in (".", "layers/runtime/python", "layers/shared/python")
)
"""PYTHONPATH of a process that imports the functions or the packages in the layers."""


MEASURED: dict[str, str] = {}
"""Variables by which coverage measures a child process: empty unless `npm run coverage` runs."""


def inherited(*names: str) -> dict[str, str]:
    """Return the variables of these names."""
    return {name: value for name, value in os.environ.items() if name in names}


def measure_no_child() -> None:
    """Take coverage's variables out of the environment: MEASURED has them.

    To begin and end a measurement costs more processor time than most children take themselves.
    """
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS_")]:
        MEASURED[name] = os.environ.pop(name)
