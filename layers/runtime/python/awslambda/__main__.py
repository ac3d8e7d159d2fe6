"""The process Lambda starts: `python …/python/awslambda`, by the layer's `bootstrap`."""

from __future__ import annotations

import os
import sys

# Python puts the folder it runs on the search path; what must be there is the folder around it.
LAYER_PYTHON = os.path.dirname(sys.path[0])  # noqa: PTH120 -- pathlib costs start-up time
sys.path[0] = LAYER_PYTHON

from awslambda.event_loop import run  # noqa: E402 -- importable only from here on

if __name__ == "__main__":
    sys.exit(run(os.environ, LAYER_PYTHON))
