"""Groups of processes that end with the process that opened them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from local.functions.process_group import ProcessGroup, open_group
from tests.local.functions.processes import gone, is_gone

# Opens a group, starts a child in it that ignores SIGTERM and has a child, prints the ids, waits.
_OWNER = """
import asyncio
import os
from local.functions.process_group import open_group

async def main():
    group = await open_group()
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", "trap '' TERM; sleep 3600 & echo $!; wait", process_group=group.id
    )
    os.write(1, f"{group.id} {child.pid}\\n".encode())  # at once: the shell writes here, too
    await child.wait()

asyncio.run(main())
"""


async def join(group: ProcessGroup) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec("sleep", "3600", process_group=group.id)


async def test_close_kills_the_group_and_its_guard() -> None:
    group = await open_group()
    child = await join(group)
    await group.close()
    assert await child.wait() == -signal.SIGKILL
    assert is_gone(group.id)


async def test_guard_survives_sigterm() -> None:
    group = await open_group()
    child = await join(group)
    group.signal(signal.SIGTERM)
    assert await child.wait() == -signal.SIGTERM
    assert not is_gone(group.id)
    await group.close()


async def test_closed_group_gets_no_signals() -> None:
    group = await open_group()
    await group.close()
    await group.close()
    group.signal(signal.SIGKILL)


async def test_group_ends_with_its_killed_owner() -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _OWNER,
        cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.PIPE,
    )
    assert owner.stdout is not None
    lines = [await owner.stdout.readline(), await owner.stdout.readline()]
    pids = [int(word) for line in lines for word in line.split()]
    assert len(pids) == 3
    owner.kill()
    await owner.wait()
    for pid in pids:
        await gone(pid)


async def test_group_without_its_guard_can_be_closed() -> None:
    group = await open_group()
    child = await join(group)
    os.kill(group.id, signal.SIGKILL)
    await gone(group.id)
    await group.close()
    assert await child.wait() == -signal.SIGKILL
