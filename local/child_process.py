"""A function's process: started in a group of its own, its output read line by line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.console import LineSplitter
from local.errors import ConfigurationError
from local.limits import READ_BYTES, SHUTDOWN_GRACE_S

_LAST_OUTPUT_WAIT_S = 1.0
"""A grandchild that left the group may hold the pipe; its output is not waited for longer."""


class ChildProcess:
    """One running child and whatever it starts itself; made by `start_child`."""

    def __init__(
        self, process: asyncio.subprocess.Process, output: int, log: Callable[[str], None]
    ) -> None:
        self._process = process
        self._log = log
        self._output = asyncio.create_task(self._read_output(output))

    async def wait(self) -> int:
        """Wait for the end of the child and of its output; return its exit status."""
        status = await self._process.wait()
        # What the child started must not outlive it and keep its sockets open.
        self.kill()
        await asyncio.wait([self._output], timeout=_LAST_OUTPUT_WAIT_S)
        self._output.cancel()
        await asyncio.wait([self._output])
        return status

    def kill(self) -> None:
        """Kill the whole group at once."""
        self._signal(signal.SIGKILL)

    async def stop(self, grace_s: float = SHUTDOWN_GRACE_S) -> None:
        """Ask the group to end, then kill what is left of it."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _read_output(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        output = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(descriptor, "rb", 0)
        )
        lines = LineSplitter()
        try:
            while data := await output.read(READ_BYTES):
                for line in lines.feed(data):
                    self._log(line)
        finally:
            transport.close()
            for line in lines.end():
                self._log(line)


async def start_child(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, log: Callable[[str], None]
) -> ChildProcess:
    """Start `command` in `folder` with exactly `environ`; `log` gets each line of its output.

    Raises ConfigurationError when the command cannot be started.
    """
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
            start_new_session=True,
        )
    except OSError as error:
        os.close(ours)
        name = Path(command[0]).name
        raise ConfigurationError(
            f"cannot start the exec wrapper {name}: {error.strerror}; "
            "expected an executable file in an attached layer"
        ) from error
    finally:
        os.close(theirs)
    return ChildProcess(process, ours, log)
