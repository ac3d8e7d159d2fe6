"""The environment of processes that tests start: bare, so that the user's settings do not count."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYERS = os.pathsep.join(
    str(ROOT / folder) for folder in (".", "layers/runtime/python", "layers/shared/python")
)
"""PYTHONPATH of a process that imports the functions or the packages in the layers."""


def inherited(*names: str) -> dict[str, str]:
    """Return the variables of these names, and those by which coverage measures a child."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in names or name.startswith("COVERAGE_PROCESS_")
    }
