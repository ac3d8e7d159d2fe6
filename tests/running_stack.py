"""The service as a user starts it: `python -m local` as a process, found by its banner."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.child_environment import inherited

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0  # how long a test waits for the stack before it has failed


def patient_wscat(line: str) -> str:
    """Return wscat's line with more time: on a busy machine it takes ten seconds to start."""
    return re.sub(r"(\bsleep|-w) \d+", rf"\1 {2 * PATIENCE_S:.0f}", line)


class RunningStack:
    """A stack that is starting; `wait_ready` waits for its banner. `lines` is what it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._unseen: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        return self._shown("Function URL")

    @property
    def websocket_url(self) -> str:
        return self._shown("WebSocket")

    def wait_line(self, part: str) -> str:
        """Wait for the next line that holds `part`."""
        while (line := self._unseen.get(timeout=PATIENCE_S)) is not None:
            if part in line:
                return line
        raise AssertionError(f"no line with {part!r} in:\n{self.text()}")

    def wait_ready(self) -> tuple[str, str]:
        """Wait for the banner; return the HTTP and the WebSocket URL."""
        self.wait_line("Ready")
        return self.url, self.websocket_url

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait; return the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; return the exit status, with all of the output in `lines`."""
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(PATIENCE_S)
        return status

    def text(self) -> str:
        return "\n".join(self.lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._unseen.put(self.lines[-1])
        self._unseen.put(None)

    def _shown(self, name: str) -> str:
        match = re.search(rf"^\s*{name}\s+(\S+)", self.text(), re.MULTILINE)
        assert match, self.text()
        return match[1]


def stack(config: Path, *options: str, **environ: str) -> AbstractContextManager[RunningStack]:
    return stack_of(sys.executable, config, *options, **environ)


@contextmanager
def stack_of(python: str, config: Path, *options: str, **environ: str) -> Iterator[RunningStack]:
    """Start `python -m local` with free ports and `environ` on top of a bare environment.

    It has a state of its own, and gets SIGTERM at the end if it still runs.
    """
    arguments = ["--config", str(config), "--http-port", "0", "--ws-port", "0", *options]
    with TemporaryDirectory(prefix="sluice-state-") as folder:
        own_state = {"STATE_FILE": str(Path(folder) / "state.sqlite3")}
        process = subprocess.Popen(
            [python, "-m", "local", *arguments],
            cwd=ROOT,
            env={**inherited("PATH", "HOME", "TMPDIR"), **own_state, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running = RunningStack(process)
        try:
            yield running
        finally:
            # SIGTERM, because a killed stack cannot remove its folder.
            running.end()
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def ready_service(config: Path = ROOT / "serverless.yml", **environ: str) -> Iterator[RunningStack]:
    """The service itself, or a copy of it, once its banner is there."""
    with stack(config, **environ) as running:
        running.wait_line("Ready")
        yield running
