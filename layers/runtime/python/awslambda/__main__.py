"""The process that Lambda starts: the layer's `bootstrap` runs `python …/awslambda/__main__.py`.

It names the file, not the folder: for a folder Python imports `runpy`. Python compiles this file
at every start.
"""

from __future__ import annotations

import gc
import os
import sys

LAYER_PYTHON = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 -- pathlib is slow to import
LOADING_THRESHOLD = 50_000
"""Garbage collection threshold while modules load, in new objects: some MB at most. Modules keep
nearly all that they create, so the usual threshold would waste a twentieth of the start."""

usual_threshold = gc.get_threshold()
initially_frozen = gc.get_freeze_count()
gc.set_threshold(LOADING_THRESHOLD)

if not sys.flags.safe_path:
    del sys.path[0]  # this file's folder: its modules must not be importable without their package
sys.path.insert(0, LAYER_PYTHON)

from awslambda import invoke_loop as bootstrap  # noqa: E402 -- needs the search path above


def restore_garbage_collection() -> None:
    """Keep what the function's module has set itself."""
    if gc.get_threshold()[0] == LOADING_THRESHOLD:
        gc.set_threshold(*usual_threshold)
    if gc.get_freeze_count() == initially_frozen:
        # Moves all objects to the oldest generation, or the next event would pay for their scan.
        gc.freeze()
        gc.unfreeze()


if __name__ == "__main__":
    sys.exit(bootstrap.run(os.environ, LAYER_PYTHON, restore_garbage_collection))
