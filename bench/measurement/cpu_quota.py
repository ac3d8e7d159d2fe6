"""A share of one processor for a process, by the kernel's quota, as Lambda gives it by memory.

A process in the group stops when it has used its share of a period, until the next one begins.
https://docs.kernel.org/scheduler/sched-bwc.html
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CGROUPS = Path("/sys/fs/cgroup")
PERIOD_US = 20_000
"""Microseconds. The kernel's default, 100 ms, would let most starts pass without a stop."""
PROCESSES = "cgroup.procs"
ITSELF = "0"
"""In PROCESSES: the process that writes it."""


@contextmanager
def cpu_quota(share: float) -> Iterator[Callable[[], None]]:
    """Yield what moves the process that calls it to `share` of a processor, its threads included.

    Raises OSError if this user or system has no such groups. Every process that moved must have
    ended when the block ends.
    """
    group = _parent() / f"sluice-bench-{os.getpid()}"
    group.mkdir()
    try:
        for name, text in quota_files(share, is_v2=_is_v2()).items():
            (group / name).write_text(text, encoding="ascii")
        yield lambda: _enter(group)
    finally:
        group.rmdir()


def has_cpu_quota() -> bool:
    try:
        with cpu_quota(1.0):
            return True
    except OSError:
        return False


def quota_files(share: float, *, is_v2: bool) -> dict[str, str]:
    """The files of a group that limit it, in the order to write them."""
    quota_us = round(share * PERIOD_US)
    if is_v2:
        return {"cpu.max": f"{quota_us} {PERIOD_US}"}
    return {"cpu.cfs_period_us": f"{PERIOD_US}", "cpu.cfs_quota_us": f"{quota_us}"}


def _is_v2() -> bool:
    return (CGROUPS / "cgroup.controllers").is_file()


def _parent() -> Path:
    if not _is_v2():
        return CGROUPS / "cpu"
    (CGROUPS / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
    return CGROUPS


def _enter(group: Path) -> None:
    (group / PROCESSES).write_text(ITSELF, encoding="ascii")
