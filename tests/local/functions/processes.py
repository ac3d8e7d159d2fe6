"""Waiting for other processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition without an event: of another process, or a line in the log."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Return whether the process has ended; it may still be a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = ["ps", "-o", "stat=", "-p", str(pid)]
    try:
        return subprocess.run(state, capture_output=True, check=False).stdout.strip()[:1] in b"Z"
    except FileNotFoundError:  # a Linux without ps
        return " Z " in Path(f"/proc/{pid}/stat").read_text()


async def gone(pid: int) -> None:
    await until(lambda: is_gone(pid))
