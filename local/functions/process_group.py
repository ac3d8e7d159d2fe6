"""A process group that dies with this process, even if this process is killed.

A guard leads the group and reads a pipe that only this process can write to. The kernel closes the
pipe however this process ends, and then the guard kills its group. Linux can signal a child when
its parent dies (PR_SET_PDEATHSIG), but not the processes that the child started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from local.errors import ConfigurationError

_SHELL = "/bin/sh"
_GUARD = "trap '' TERM INT HUP; echo; read _; kill -KILL 0"
"""It ignores the signals that end its group: another process in it may ignore them, too."""


class ProcessGroup:
    """A group that children join by its `id`; made by `open_group`, ended by `close`."""

    def __init__(self, guard: asyncio.subprocess.Process) -> None:
        self._guard = guard
        self._closed = False

    @property
    def id(self) -> int:
        """The group's number, for `process_group=`."""
        return self._guard.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process in the group; does nothing after `close`."""
        if self._closed:
            return  # the number may belong to another group by now
        # macOS rejects it when every process of the group has ended.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.id, number)

    async def close(self) -> None:
        """Kill every process in the group and wait for its guard."""
        self.signal(signal.SIGKILL)
        self._closed = True
        await self._guard.wait()


async def open_group() -> ProcessGroup:
    """Start a guard and return its group. Raises ConfigurationError if there is no shell."""
    try:
        guard = await asyncio.create_subprocess_exec(
            _SHELL,
            "-c",
            _GUARD,
            env={},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            process_group=0,
        )
    except OSError as error:
        raise ConfigurationError(
            f"Cannot start {_SHELL}, which ends the functions' processes: {error.strerror}."
        ) from error
    assert guard.stdout is not None  # noqa: S101 - it is a pipe
    await guard.stdout.readline()  # from now on the guard ignores the signals
    return ProcessGroup(guard)
