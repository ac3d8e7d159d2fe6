"""A process group that dies with this process, even when that is killed and can end nothing.

A guard leads the group and waits for the end of a pipe that this process alone can write to. The
kernel closes the pipe however this process ends; the guard then kills its group. Linux could
signal a child at its parent's death (PR_SET_PDEATHSIG), but not what the child itself started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from local.errors import ConfigurationError

_SHELL = "/bin/sh"
_GUARD = "trap '' TERM INT HUP; read _; kill -KILL 0"
"""It outlives a polite end of its group: somebody in it may ignore that one."""


class ProcessGroup:
    """A group for children to join by its `id`; made by `open_group`, ended by `close`."""

    def __init__(self, guard: asyncio.subprocess.Process) -> None:
        self._guard = guard
        self._closed = False

    @property
    def id(self) -> int:
        """The group's number, for `process_group=`."""
        return self._guard.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to everyone in the group; does nothing once it is closed."""
        if self._closed:
            return  # the number may be another group's by now
        # macOS does not permit it for a group of nothing but the dead.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.id, number)

    async def close(self) -> None:
        """Kill everyone in the group and wait for its guard."""
        self.signal(signal.SIGKILL)
        self._closed = True
        await self._guard.wait()


async def open_group() -> ProcessGroup:
    """Start a guard and return its group. Raises ConfigurationError where there is no shell."""
    try:
        guard = await asyncio.create_subprocess_exec(
            _SHELL,
            "-c",
            _GUARD,
            env={},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            process_group=0,
        )
    except OSError as error:
        raise ConfigurationError(
            f"cannot start {_SHELL}, which ends a function's processes: {error.strerror}"
        ) from error
    return ProcessGroup(guard)
