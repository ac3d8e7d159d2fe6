"""Where and when a measurement was made: it means nothing without."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
CPU_INFORMATION = Path("/proc/cpuinfo")


def origin(python: str) -> str:
    """One line of Markdown: processor, cores, Python, date and commit."""
    facts = [_processor(), f"{os.cpu_count()} cores", platform.system(), f"Python {python}"]
    today = dt.datetime.now(tz=dt.UTC).date()
    return f"Measured on {', '.join(facts)}; {today}; commit {_commit()}.\n"


def _processor() -> str:
    if CPU_INFORMATION.exists():
        for line in CPU_INFORMATION.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2]
    return platform.processor() or platform.machine()


def _commit() -> str:
    """The commit, and whether what was measured is still the same."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--", ".", ":(exclude)bench/results")
    return f"{commit or 'unknown'}{', with changes' if changed else ''}"


def _git(*arguments: str) -> str:
    finished = subprocess.run(  # noqa: S603 - git, with fixed arguments
        ["git", *arguments],  # noqa: S607 - the one on PATH
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.stdout.strip()
