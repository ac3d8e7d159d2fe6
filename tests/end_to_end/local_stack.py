"""The service as a user starts it: `python -m local` as a process, found by its banner."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0  # how long a test waits for the stack before it has failed
SIGNED = ("--aws-sigv4", "aws:amz:us-east-1:lambda", "--user", "local:local")


@dataclass
class LocalStack:
    """A running stack and what it has printed so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _arriving: queue.Queue[str | None] = field(default_factory=queue.Queue)

    @property
    def url(self) -> str:
        return self._shown("Function URL")

    @property
    def websocket_url(self) -> str:
        return self._shown("WebSocket")

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_for(self, text: str) -> str:
        """The first line, printed already or yet to come, that holds `text`."""
        for line in self.lines:
            if text in line:
                return line
        while (line_or_end := self._arriving.get(timeout=PATIENCE_S)) is not None:
            if text in line_or_end:
                return line_or_end
        raise AssertionError(f"the stack ended without printing {text!r}:\n{self.output}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            self._arriving.put(line)
        self._arriving.put(None)

    def _shown(self, name: str) -> str:
        match = re.search(rf"^\s*{name}\s+(\S+)", self.output, re.MULTILINE)
        assert match, self.output
        return match[1]


@contextmanager
def local_stack(*arguments: str, **variables: str) -> Iterator[LocalStack]:
    """A stack on free ports, with these variables and none of the developer's own."""
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "--http-port", "0", "--ws-port", "0", *arguments],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    stack = LocalStack(process)
    reader = threading.Thread(target=stack.read, daemon=True)
    reader.start()
    try:
        stack.wait_for("Ready")
        yield stack
    finally:
        if process.poll() is None:
            stack.stop()
        reader.join(PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()


@dataclass(frozen=True)
class CurlReply:
    status: int
    headers: dict[str, str]
    body: bytes
    exit_code: int

    @property
    def error_code(self) -> str:
        code: str = json.loads(self.body)["error"]["code"]
        return code


def curl(*arguments: str) -> CurlReply:
    """Run curl to its end."""
    done = subprocess.run(
        ["curl", "-sS", "-N", "-i", *arguments],
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    status_line, *lines = head.decode().split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    status = int(status_line.split(" ")[1]) if status_line else 0
    return CurlReply(status, headers, body, done.returncode)
