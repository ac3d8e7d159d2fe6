"""`python -m scripts.smoke` as a process, with nothing in its environment but what a test says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.running_stack import ROOT, RunningStack

TIMEOUT_S = 120.0  # the checks take about eleven seconds at the demo model's pace

# What .env of this checkout may hold is not for the tests.
UNSET = dict.fromkeys(
    (
        "FUNCTION_URL_AUTH",
        "WEBSOCKET_AUTH",
        "FORWARD_KEY",
        "OPENAI_ROUTE_PREFIX",
        "AWS_SESSION_TOKEN",
    ),
    "",
)
ROW = re.compile(r"^(?P<name>\S.*?) +(?P<verdict>ok|FAILED) +(?:\d+ ms|-) +\d+ ms$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SmokeRun:
    """What the program printed, and its exit status."""

    status: int
    printed: str
    complaint: str

    @property
    def verdicts(self) -> dict[str, str]:
        """What became of each check by its name: ok or FAILED."""
        return {match["name"]: match["verdict"] for match in ROW.finditer(self.printed)}

    def said_below(self, name: str) -> str:
        """What the table says of a failed check."""
        _, _, rest = self.printed.partition(f"\n{name} ")
        return rest.splitlines()[1].strip()


@contextmanager
def started(*options: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.smoke", *options],
        cwd=ROOT,
        env={**bare, **UNSET, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(process: subprocess.Popen[str]) -> SmokeRun:
    printed, complaint = process.communicate(timeout=TIMEOUT_S)
    return SmokeRun(process.returncode, printed, complaint)


def smoke(*options: str, **environ: str) -> SmokeRun:
    with started(*options, **environ) as process:
        return finished(process)


def at(stack: RunningStack) -> tuple[str, ...]:
    """The options that name a local stack."""
    return ("--local", "--http-url", stack.url, "--ws-url", stack.websocket_url)


def settings_of(modes: Mapping[str, str]) -> dict[str, str]:
    """What of a stack's settings the checks have to know."""
    return {name: modes[name] for name in UNSET if name in modes}
