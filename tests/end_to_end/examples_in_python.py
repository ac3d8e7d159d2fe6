"""Runs an example once for each of COUNT answers; prints what it gave, or its error, as JSON."""

from __future__ import annotations

import io
import json
import os
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path

EXAMPLE = os.environ["EXAMPLE"]
sys.path.insert(0, str(Path(EXAMPLE).parent))
results = []
for _ in range(int(os.environ["COUNT"])):
    printed = io.StringIO()
    with redirect_stdout(printed):
        try:
            runpy.run_path(EXAMPLE)
        except Exception as error:  # noqa: BLE001 -- any is a result
            printed.write(f"|{error}")
    results.append(printed.getvalue().strip())
json.dump(results, sys.stdout)
