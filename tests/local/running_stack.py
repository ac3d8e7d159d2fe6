"""The local stack as a child process, with its output."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


class RunningStack:
    """A stack that is starting; `wait_ready` waits for its banner."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def wait_line(self, part: str) -> str:
        """Wait for a line that holds `part`."""
        while (line := self._queue.get()) is not None:
            self.lines.append(line)
            if part in line:
                return line
        raise AssertionError(f"no line with {part!r} in:\n" + "\n".join(self.lines))

    def wait_ready(self) -> tuple[str, str]:
        """Wait for the banner; return the HTTP and the WebSocket URL."""
        self.wait_line("Ready")
        text = "\n".join(self.lines)
        found = re.search(r"Function URL +(\S+)[\s\S]*WebSocket +(\S+)", text)
        assert found is not None
        return found.group(1), found.group(2)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait; return the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; return the exit status with the rest of the output in `lines`."""
        status = self.process.wait()
        self._reader.join()
        while not self._queue.empty() and (line := self._queue.get()) is not None:
            self.lines.append(line)
        return status

    def text(self) -> str:
        return "\n".join(self.lines)


@contextmanager
def stack(config: Path, *options: str, **environ: str) -> Iterator[RunningStack]:
    """Start `python -m local` with free ports and `environ` on top of a bare environment."""
    arguments = ["--config", str(config), "--http-port", "0", "--ws-port", "0", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env={**_bare_environ(os.environ), **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = RunningStack(process)
    try:
        yield running
    finally:
        process.kill()
        running.wait()
        assert process.stdout is not None
        process.stdout.close()


def _bare_environ(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in environ}
