"""A real Chromium, driven by playwright-core in a Node.js process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.child_environment import inherited
from tests.running_stack import PATIENCE_S, ROOT

PROGRAM = Path(__file__).with_name("chromium.mjs")


class NoChromiumError(Exception):
    """No Chromium runs on this machine; the text says why."""


class BrowserFault(AssertionError):
    """A command failed: the page is not as the test expects it."""


class Page:
    """One page in a context of its own. Elements are named by their test id."""

    def __init__(self, browser: Browser, number: int) -> None:
        self._browser = browser
        self._number = number

    def do(self, action: str, *arguments: object) -> Any:
        return self._browser.do(self._number, action, *arguments)

    def fill(self, element: str, text: str) -> None:
        self.do("fill", element, text)

    def click(self, element: str) -> None:
        self.do("click", element)

    def select(self, element: str, value: str) -> None:
        self.do("select", element, value)

    def texts(self, element: str) -> list[str]:
        found: list[str] = self.do("texts", element)
        return found

    def text(self, element: str) -> str:
        """Return the text of the last element of this name."""
        return self.texts(element)[-1]

    def wait_text(self, element: str, text: str) -> None:
        self.do("wait_text", element, text)

    def wait_idle(self) -> None:
        """Wait until no answer streams."""
        self.do("wait_disabled", "stop")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.do("press", key)

    def evaluate(self, code: str) -> Any:
        return self.do("evaluate", code)

    def ask(self, prompt: str) -> str:
        """Send a prompt and return the whole answer."""
        self.fill("prompt", prompt)
        self.click("send")
        self.wait_idle()
        return self.text("answer")

    def faults(self) -> list[str]:
        """Return errors and warnings of the console, and requests to foreign hosts, since then."""
        found: list[str] = self.do("faults")
        return found

    def close(self) -> None:
        self.do("close")


class Browser:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._commands = 0
        started = self._answer()
        if "error" in started:
            raise NoChromiumError(started["error"])

    def open(self, url: str, **options: object) -> Page:
        return Page(self, self.do(0, "open", {"url": url, **options}))

    def do(self, page: int, action: str, *arguments: object) -> Any:
        assert self._process.stdin is not None
        self._commands += 1
        command = {"page": page, "action": action, "arguments": arguments}
        self._process.stdin.write(json.dumps({"number": self._commands, **command}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        while answer.get("number") != self._commands:  # of a test that was ended meanwhile
            answer = self._answer()
        if "error" in answer:
            raise BrowserFault(f"{action} {arguments}: {answer['error']}")
        return answer["result"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start one browser. Raises NoChromiumError."""
    with subprocess.Popen(
        ["node", str(PROGRAM)],
        cwd=ROOT,
        env=inherited("PATH", "HOME", "TMPDIR"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Browser(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE_S)


def browser_or_skip() -> Iterator[Browser]:
    """The function of a fixture: a machine without Chromium skips its tests."""
    try:
        with chromium() as started:
            yield started
    except NoChromiumError as error:
        pytest.skip(str(error))
