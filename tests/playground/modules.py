"""Calls a function of the playground's modules, or of an example, in Node.js."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.running_stack import PATIENCE_S, ROOT

PROGRAM = """
import { readFileSync } from 'node:fs'
const { file, code, cases } = JSON.parse(readFileSync(0))
const call = new Function('found', 'given', code)
const found = await import(file)
const results = []
for (const given of cases) results.push(await call(found, given))
process.stdout.write(JSON.stringify(results))
"""


def results_of(file: str, code: str, cases: list[Any]) -> list[Any]:
    """Run `code`, a function body of (found, given), for each case; `found` is the module."""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", PROGRAM],
        input=json.dumps({"file": str(ROOT / file), "code": code, "cases": cases}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results: list[Any] = json.loads(done.stdout)
    return results
