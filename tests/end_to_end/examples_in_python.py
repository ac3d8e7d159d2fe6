"""Runs each of EXAMPLES once for each of COUNT answers.

It prints what each run gave, or its error, as JSON.
"""

from __future__ import annotations

import io
import json
import os
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path


def result(example: str) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        try:
            runpy.run_path(example)
        except Exception as error:  # noqa: BLE001 -- any is a result
            printed.write(f"|{error}")
    return printed.getvalue().strip()


results = []
for example in os.environ["EXAMPLES"].split(os.pathsep):
    sys.path.insert(0, str(Path(example).parent))
    results.append([result(example) for _ in range(int(os.environ["COUNT"]))])
json.dump(results, sys.stdout)
