"""A function's process: it starts in its own process group, its output is read line by line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.console import LineSplitter
from local.errors import ConfigurationError
from local.functions.process_group import ProcessGroup, open_group
from local.limits import SHUTDOWN_GRACE_S

_LAST_OUTPUT_WAIT_S = 1.0
"""Time to wait for the last output, in seconds: a process outside the group may hold the pipe."""


class _Output(asyncio.Protocol):
    """Passes a child's output on line by line; `ended` is done after the last line."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._lines = LineSplitter()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            self._log(line)

    def connection_lost(self, _exc: Exception | None) -> None:
        for line in self._lines.end():
            self._log(line)
        self.ended.set_result(None)


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """One running child and the processes it starts; made by `start_child`."""

    process: Process
    group: ProcessGroup
    pipe: asyncio.ReadTransport
    output: _Output

    async def wait(self) -> int:
        """Wait until the child and its output have ended; return its exit status."""
        status = await self.process.wait()
        # What the child started must not outlive it and keep its sockets open.
        await self.group.close()
        await asyncio.wait([self.output.ended], timeout=_LAST_OUTPUT_WAIT_S)
        self.pipe.close()
        await self.output.ended
        return status

    def kill(self) -> None:
        self.group.signal(signal.SIGKILL)

    async def stop(self, grace_s: float = SHUTDOWN_GRACE_S) -> None:
        """Send SIGTERM to the group, then kill what is left of it."""
        self.group.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self.process.wait()
        self.group.signal(signal.SIGKILL)


async def start_child(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, log: Callable[[str], None]
) -> ChildProcess:
    """Start `command` in `folder` with exactly `environ`; `log` gets each line of its output.

    Raises ConfigurationError when the command cannot be started, OSError without descriptors.
    """
    group = await open_group()
    try:
        return await _start_in(group, command, environ, folder, log)
    except BaseException:
        await group.close()
        raise


async def _start_in(
    group: ProcessGroup,
    command: Sequence[str],
    environ: Mapping[str, str],
    folder: Path,
    log: Callable[[str], None],
) -> ChildProcess:
    # Our own pipe: with asyncio's, `wait` would wait for every process that holds it.
    ours, theirs = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environ,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            process_group=group.id,
        )
    except (OSError, ValueError) as error:
        os.close(ours)
        raise _start_error(Path(command[0]).name, error) from error
    finally:
        os.close(theirs)
    pipe, output = await asyncio.get_running_loop().connect_read_pipe(
        lambda: _Output(log), os.fdopen(ours, "rb", 0)
    )
    return ChildProcess(process, group, pipe, output)


def _start_error(wrapper: str, error: OSError | ValueError) -> ConfigurationError:
    if isinstance(error, OSError):
        reason, remedy = error.strerror, "It must be an executable file in an attached layer."
    else:
        reason, remedy = str(error), "Check the names and values of the function's variables."
    return ConfigurationError(f"Cannot start the exec wrapper {wrapper}: {reason}. {remedy}")
