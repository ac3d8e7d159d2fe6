"""A conversation on a terminal: lines of the user, commands, answers of the model."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from scripts.access.errors import ToolError
from scripts.access.table import printable
from scripts.chat.answers import Question, Transport
from scripts.chat.interrupts import Interrupts
from scripts.chat.screen import Screen

PROMPT = "> "
COMMAND = re.compile(r"/([a-z?]*)(?:\s+(.*))?\s*")
HELP = """\
/model [NAME]  say which model answers, or choose another
/clear         forget the conversation
/help          show this
/exit          end; so do Ctrl-D and two Ctrl-C
Ctrl-C stops an answer. A line that begins with a space is never a command."""
ENDS = 2
"""Number of Ctrl-C in a row that end the conversation."""


class Conversation:
    """Reads lines with `read`, which `input` implements, until the user leaves."""

    def __init__(
        self,
        question: Question,
        transport: Transport,
        interrupts: Interrupts,
        screen: Screen,
        read: Callable[[str], str],
    ) -> None:
        self._question = question
        self._transport = transport
        self._interrupts = interrupts
        self._screen = screen
        self._read = read
        self._is_over = False

    def run(self, where: str) -> None:
        """Hold the conversation; `where` is the address."""
        with suppress(ImportError):  # a Python without it still reads lines
            import readline  # noqa: PLC0415 -- from now on `input` edits and recalls lines

            # Lines that are pasted together are one message. CPython turns this off.
            readline.parse_and_bind("set enable-bracketed-paste on")
        self._screen.note(f"Messages go to {where}. /help shows the commands, Ctrl-D ends.")
        while not self._is_over:
            try:
                with self._interrupts.reading():
                    line = self._read(PROMPT)
                self._interrupts.forget()
                self._take(line)
            except KeyboardInterrupt:
                self._interrupted()
            except EOFError:
                self._screen.note("")
                self._is_over = True
            except UnicodeDecodeError:
                self._screen.note("This line is not text in UTF-8.")
            except ToolError as error:
                self._screen.note(f"Error: {error}")

    def _interrupted(self) -> None:
        self._is_over = self._interrupts.count >= ENDS
        self._screen.note("" if self._is_over else "\nPress Ctrl-C again or Ctrl-D to end.")

    def _take(self, line: str) -> None:
        if command := COMMAND.fullmatch(line):
            self._obey(command[1], (command[2] or "").strip())
        elif line.strip():
            self._ask(line.strip())

    def _obey(self, name: str, value: str) -> None:
        if name in ("exit", "quit"):
            self._is_over = True
        elif name == "clear":
            self._question = replace(self._question, messages=())
            self._screen.note("The conversation is forgotten.")
        elif name == "model":
            self._choose(value)
        elif name in ("help", "?", ""):
            self._screen.note(HELP)
        else:
            self._screen.note(f"Unknown command /{name}. /help shows the commands.")

    def _choose(self, model: str) -> None:
        if self._question.template:
            self._screen.note("The service's OPENAI_MODEL answers templates.")
            return
        if model:
            self._question = replace(self._question, model=model)
        named = printable(self._question.model) or "the service's OPENAI_MODEL"
        self._screen.note(f"Model: {named}.")

    def _ask(self, text: str) -> None:
        asked = self._question.followed_by("user", text)
        said: list[str] = []
        try:
            self._screen.show(self._transport.answer(asked), said.append)
        finally:
            # What was stopped or broke off stays as far as it came; without an answer the line
            # does not count, and may be sent again.
            if answer := "".join(said):
                self._question = asked.followed_by("assistant", answer)
