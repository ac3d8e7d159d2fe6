"""The process Lambda starts: `python …/awslambda/__main__.py`, by the layer's `bootstrap`.

The file by its name: for its folder Python would import `runpy`. It is compiled at each start.
"""

from __future__ import annotations

import gc
import os
import sys

LAYER_PYTHON = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 -- pathlib costs start-up time
LOADING_THRESHOLD = 50_000
"""New objects between two looks for garbage while modules are loaded. What they make stays: looking
through it as often as usual is a twentieth of a start. So many objects are some MB at most."""

usual_threshold = gc.get_threshold()
usually_frozen = gc.get_freeze_count()
gc.set_threshold(LOADING_THRESHOLD)

if not sys.flags.safe_path:
    del sys.path[0]  # the folder of this file, whose modules are not to be found by themselves
sys.path.insert(0, LAYER_PYTHON)

from awslambda.invoke_loop import run  # noqa: E402 -- importable only from here on


def look_for_garbage_as_usual() -> None:
    """Leaves alone what the function's module has set for itself."""
    if gc.get_threshold()[0] == LOADING_THRESHOLD:
        gc.set_threshold(*usual_threshold)
    if gc.get_freeze_count() == usually_frozen:
        # To the oldest objects, unlooked at: the next event would pay for looking.
        gc.freeze()
        gc.unfreeze()


if __name__ == "__main__":
    sys.exit(run(os.environ, LAYER_PYTHON, look_for_garbage_as_usual))
