"""AWS's Runtime Interface Emulator running a function with our bootstrap.

It keeps to the Runtime API, with AWS's own state machine behind it, but it is no model of streaming
towards the caller: it takes a streamed answer and hands it over in one piece, prelude included.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.awslambda.scripted_runtime_api import BOOTSTRAP, PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

INVOCATIONS = "/2015-03-31/functions/function/invocations"
LISTENING_POLL_S = 0.02  # it says nowhere that it listens; this is how often it is asked


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator. It takes one invocation at a time: it crashes on two first ones."""

    port: int
    log_file: Path
    process: subprocess.Popen[bytes]

    def invoke(self, event: bytes) -> bytes:
        """The function's answer; for a streamed one, all that was sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", INVOCATIONS, event)
            reply = connection.getresponse()
            assert reply.status == 200, self.log()
            return reply.read()
        finally:
            connection.close()

    def log(self) -> str:
        """What the emulator and the function have written, one behind the other."""
        return self.log_file.read_text()

    def wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                time.sleep(LISTENING_POLL_S)
        raise AssertionError(f"the emulator does not listen:\n{self.log()}")


@contextmanager
def emulating(program: Path, folder: Path, source: str) -> Iterator[Emulator]:
    """`source` as /var/task/app.py under the emulator, on loopback alone."""
    task_root, log_file = folder / "task", folder / "emulator.log"
    task_root.mkdir()
    (task_root / "app.py").write_text(source)
    port, runtime_api_port = _free_ports(2)
    addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    addresses += ["--runtime-api-address", f"127.0.0.1:{runtime_api_port}"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [program, *addresses, BOOTSTRAP, "app.handler"],
            env={"PATH": _path_with_this_python(), "LAMBDA_TASK_ROOT": str(task_root)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    emulator = Emulator(port, log_file, process)
    try:
        emulator.wait_until_it_listens()
        yield emulator
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()  # it ends the runtime before itself
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _path_with_this_python() -> str:
    """The bootstrap asks for python3: an emulator names no interpreter."""
    return f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"


def _free_ports(count: int) -> list[int]:
    """All held at once, so that they differ; the emulator cannot say which one it took for 0."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(listener.getsockname()[1]) for listener in held]
    finally:
        for listener in held:
            listener.close()
