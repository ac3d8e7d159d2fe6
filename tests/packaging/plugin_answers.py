"""What the functions of the osls plugin answer: sentences and parts of the template, or None."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

from tests.packaging.packaged_service import CHECKOUT

CALLS = """
const { [process.argv[2]]: asked } = await import(process.argv[1])
const calls = JSON.parse(process.argv[3])
console.log(JSON.stringify(calls.map((call) => asked(...call) ?? null)))
"""


def answers(function: str, calls: Iterable[Sequence[object]], of: str = "settings.mjs") -> Any:
    """Return the answers to several calls, which one process of Node gives."""
    module = str(CHECKOUT / "scripts" / "osls" / of)
    command = ["node", "--input-type=module", "--eval", CALLS, module, function]
    printed = subprocess.check_output([*command, json.dumps(list(calls))], text=True)
    return json.loads(printed)


def answer(function: str, *arguments: object, of: str = "settings.mjs") -> Any:
    (only,) = answers(function, [arguments], of)
    return only
