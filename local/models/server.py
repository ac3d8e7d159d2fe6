"""A model's server: a child process, so that a crash of native code does not end the stack."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from local.errors import LocalStackError
from local.functions.child_process import ChildProcess, start_child
from local.limits import MODEL_START_TIMEOUT_S
from local.models.installation import Installation

_PROGRAM = Path(__file__).with_name("gguf_server.py")
_ADDRESS = "http://"
_INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH")
"""What a process of this machine may need; none of the user's keys."""


class ModelStartFailedError(LocalStackError):
    """The model's process ended, or said nothing, before it served."""


class ModelServer:
    """A running model; made by `start`. `url` is its base URL."""

    def __init__(self, name: str, log: Callable[[str], None]) -> None:
        self.url = ""
        self._name = name
        self._log = log
        self._address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._child: ChildProcess | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, installed: Installation, environ: Mapping[str, str], key: str) -> None:
        """Load the model, and return when it serves. Raises LocalStackError."""
        command = [str(installed.python), "-I", str(_PROGRAM), str(installed.weights)]
        bare = {name: environ[name] for name in _INHERITED if name in environ}
        arguments = [installed.model.name, key]
        self._child = await start_child([*command, *arguments], bare, installed.folder, self._line)
        self._watch = asyncio.create_task(self._live(self._child))
        try:
            async with asyncio.timeout(MODEL_START_TIMEOUT_S):
                self.url = f"{await self._address}/v1"
        except TimeoutError as error:
            raise ModelStartFailedError(
                f"The model {self._name} did not start within {MODEL_START_TIMEOUT_S:.0f} seconds."
            ) from error

    async def stop(self) -> None:
        """End the process, and wait for that."""
        if self._watch and self._child:
            self._watch.cancel()
            await self._child.stop()
            await self._child.wait()

    def _line(self, line: str) -> None:
        if line.startswith(_ADDRESS) and not self._address.done():
            self._address.set_result(line.strip())
        elif line.strip():
            self._log(f"model | {line}")

    async def _live(self, child: ChildProcess) -> None:
        reason = _reason(await child.process.wait())
        if not self._address.done():
            self._address.set_exception(
                ModelStartFailedError(f"The model {self._name} could not start: {reason}.")
            )
        else:
            self._log(
                f"model | {self._name} has ended: {reason}. Requests fail until npm start runs"
                " again."
            )


def _reason(status: int) -> str:
    with suppress(ValueError):
        return f"its process got {signal.Signals(-status).name}"
    return f"its process ended with exit code {status}"
