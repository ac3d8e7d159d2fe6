"""Where and when a measurement was made."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
CPU_INFORMATION = Path("/proc/cpuinfo")


def origin(python: str = platform.python_version()) -> str:
    """One line of Markdown: processor, cores, system, Python, Node.js, date and commit."""
    system = f"{platform.system()} {platform.release()}"
    facts = [_processor(), f"{os.cpu_count()} cores", system, f"Python {python}", *_node()]
    today = dt.datetime.now(tz=dt.UTC).date()
    return f"Measured on {', '.join(facts)}; {today}; commit {_commit()}.\n"


def _node() -> list[str]:
    node = shutil.which("node")
    if node is None:
        return []
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - the one on PATH
    return [f"Node.js {version.stdout.strip()}"]


def _processor() -> str:
    if CPU_INFORMATION.exists():
        for line in CPU_INFORMATION.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2]
    return platform.processor() or platform.machine()


def _commit() -> str:
    """The commit, and whether the checkout has changes."""
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
