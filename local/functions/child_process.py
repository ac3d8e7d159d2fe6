"""A function's process: started in a group of its own, its output read line by line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.console import LineSplitter
from local.errors import ConfigurationError
from local.functions.process_group import ProcessGroup, open_group
from local.limits import SHUTDOWN_GRACE_S

_LAST_OUTPUT_WAIT_S = 1.0
"""A grandchild that left the group may hold the pipe; its output is not waited for longer."""


class _Output(asyncio.Protocol):
    """Hands over a child's output line by line; `ended` is done once all of it is."""

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


class ChildProcess:
    """One running child and whatever it starts itself; made by `start_child`."""

    def __init__(
        self,
        process: Process,
        group: ProcessGroup,
        pipe: asyncio.ReadTransport,
        output: _Output,
    ) -> None:
        self._process = process
        self._group = group
        self._pipe = pipe
        self._output = output

    async def wait(self) -> int:
        """Wait for the end of the child and of its output; return its exit status."""
        status = await self._process.wait()
        # What the child started must not outlive it and keep its sockets open.
        await self._group.close()
        await asyncio.wait([self._output.ended], timeout=_LAST_OUTPUT_WAIT_S)
        self._pipe.close()
        await self._output.ended
        return status

    def kill(self) -> None:
        """Kill the whole group at once."""
        self._group.signal(signal.SIGKILL)

    async def stop(self, grace_s: float = SHUTDOWN_GRACE_S) -> None:
        """Ask the group to end, then kill what is left of it."""
        self._group.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        self._group.signal(signal.SIGKILL)


async def start_child(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, log: Callable[[str], None]
) -> ChildProcess:
    """Start `command` in `folder` with exactly `environ`; `log` gets each line of its output.

    Raises ConfigurationError when the command cannot be started.
    """
    group = await open_group()
    # A pipe of our own: asyncio's would make the wait for the child wait for everyone who has it.
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
        await group.close()
        raise ConfigurationError(_refused(Path(command[0]).name, error)) from error
    finally:
        os.close(theirs)
    pipe, output = await asyncio.get_running_loop().connect_read_pipe(
        lambda: _Output(log), os.fdopen(ours, "rb", 0)
    )
    return ChildProcess(process, group, pipe, output)


def _refused(wrapper: str, error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return (
            f"cannot start the exec wrapper {wrapper}: {error.strerror}; "
            "expected an executable file in an attached layer"
        )
    return (
        f"cannot start the exec wrapper {wrapper}: {error}; "
        "expected names and values of variables that an environment can hold"
    )
