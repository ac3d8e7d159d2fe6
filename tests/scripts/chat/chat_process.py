"""`python -m scripts.chat` as a process: with pipes, or on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.child_environment import inherited
from tests.running_stack import PATIENCE_S, ROOT, RunningStack

# What .env of this checkout may hold is not for the tests.
UNSET = dict.fromkeys(("FUNCTION_URL_AUTH", "WEBSOCKET_AUTH", "FORWARD_KEY"), "")
# A session leader's own terminal: Ctrl-C in it is a signal.
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "scripts.chat", *sys.argv[1:]])
"""
BRACKETED_PASTE = re.compile(r"\x1b\[\?2004[hl]\r?")
CTRL_C, CTRL_D = "\x03", "\x04"


@dataclass(frozen=True, slots=True)
class ChatRun:
    """What the program wrote, and its exit status."""

    status: int
    out: bytes
    err: str


def at(stack: RunningStack) -> tuple[str, ...]:
    """The options that name a local stack."""
    return ("--http-url", stack.url, "--ws-url", stack.websocket_url)


def chat(*options: str, **environ: str) -> ChatRun:
    """Run it with pipes, and nothing on standard input."""
    return chat_about(b"", *options, **environ)


def chat_about(stdin: bytes, *options: str, **environ: str) -> ChatRun:
    """Run it with pipes."""
    finished = subprocess.run(
        [sys.executable, "-m", "scripts.chat", *options],
        cwd=ROOT,
        env=environment(environ),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return ChatRun(finished.returncode, finished.stdout, finished.stderr.decode())


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {**inherited("PATH", "HOME"), "LC_ALL": "C.UTF-8", **UNSET, **environ}


class Terminal:
    """A program on a terminal. `text` is what it shows, without marks of pasting."""

    def __init__(self, process: subprocess.Popen[bytes], controller: int) -> None:
        self.process = process
        self._controller = controller
        self._shown = b""
        self._seen = 0
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return BRACKETED_PASTE.sub("", self._shown.decode("utf-8", "replace"))

    def wait_for(self, part: str) -> str:
        """Wait for the next text that ends with `part`; return it."""
        with self._more:
            found = self._more.wait_for(lambda: part in self.text[self._seen :], PATIENCE_S)
            assert found, f"no {part!r} in {self.text[self._seen :]!r}"
            start, self._seen = self._seen, self.text.index(part, self._seen) + len(part)
            return self.text[start : self._seen]

    def type(self, text: str) -> None:
        os.write(self._controller, text.encode())

    def wait(self) -> int:
        status = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status

    def _read(self) -> None:
        with suppress(OSError):  # EIO: the program has ended
            while data := os.read(self._controller, 65536):
                with self._more:
                    self._shown += data
                    self._more.notify_all()


@contextmanager
def on_terminal(*options: str, **environ: str) -> Iterator[Terminal]:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, *options],
        cwd=ROOT,
        env=environment({"TERM": "xterm-256color", **environ}),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        shown = Terminal(process, controller)
        try:
            yield shown
        finally:
            process.kill()
            shown.wait()
            os.close(controller)
