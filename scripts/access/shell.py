"""What a tool gets when it starts: its command line and what surrounds it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

ROOT = Path(__file__).parents[2]


class Shell(NamedTuple):
    """folder: of serverless.yml and .env. clock: Unix time."""

    arguments: Sequence[str]
    environ: Mapping[str, str]
    stdin: TextIO
    out: TextIO
    err: TextIO
    folder: Path = ROOT
    clock: Callable[[], float] = time.time

    def print_json(self, document: object) -> None:
        self.out.write(f"{json.dumps(document, indent=2)}\n")


def shell_of_process() -> Shell:
    # A terminal's encoding may lack a character of an answer or of a model's name.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a real one
    return Shell(sys.argv[1:], os.environ, sys.stdin, sys.stdout, sys.stderr)
