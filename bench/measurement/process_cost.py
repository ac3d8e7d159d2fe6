"""Costs of running processes so far: CPU time in nanoseconds, and memory. Linux only."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROC = Path("/proc")
KIB_OF_A_MB = 1024
CPU_CLOCK_OF_A_PROCESS = 2  # in the kernel's clock ids, CPUCLOCK_SCHED; see clock_getcpuclockid(3)


class ProcessTree:
    """A process and its current descendants."""

    def __init__(self, root: int) -> None:
        self._root = root

    def cpu_s(self) -> float:
        """User and system time of the running processes, finished threads included."""
        return sum(_each(self._root, cpu_s))

    def peak_rss_mb(self) -> float:
        """Sum of the processes' peaks; shared pages count once per process."""
        return sum(_each(self._root, peak_rss_mb))

    def size(self) -> int:
        """Number of processes."""
        return len(descendants(self._root)) + 1


def cpu_s(process: int) -> float:
    return time.clock_gettime((~process << 3) | CPU_CLOCK_OF_A_PROCESS)


def peak_rss_mb(process: int) -> float:
    """Peak memory since exec; 0 for a finished process."""
    status = (PROC / str(process) / "status").read_text(errors="replace")
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / KIB_OF_A_MB
    return 0.0


def descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    found, waiting = [], [root]
    while waiting:
        born = children.get(waiting.pop(), [])
        found += born
        waiting += born
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):  # it has ended
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                yield int(folder.name), int(fields[1])


def _each(root: int, measure: Callable[[int], float]) -> Iterator[float]:
    for process in (root, *descendants(root)):
        with contextlib.suppress(OSError):  # it has ended
            yield measure(process)
