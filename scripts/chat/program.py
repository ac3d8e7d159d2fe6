"""The command itself: one prompt, or a conversation."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import closing
from typing import TextIO

from scripts.access.command_line import exit_code
from scripts.access.errors import ToolError
from scripts.access.place import user_settings
from scripts.access.shell import Shell
from scripts.chat.answers import Question, Transport
from scripts.chat.command_line import Options, parse
from scripts.chat.conversation import Conversation
from scripts.chat.interrupts import Interrupts
from scripts.chat.place import Place, Way, find_place, ways
from scripts.chat.screen import Screen

SOON_S = 1.0
"""Time after which it is said that standard input is awaited, in seconds."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells report it: 128 + SIGINT."""
READER_LEFT = 141
"""Exit code when the reader of stdout has gone: 128 + SIGPIPE."""


def main(shell: Shell) -> int:
    """Answer one prompt or hold a conversation."""

    def run() -> None:
        options = parse(shell.arguments, shell.environ)
        prompt = _prompt(options, shell)
        user = user_settings(options.stage, shell)
        place = find_place(options, user)
        question = Question(options.model, options.template)
        screen = Screen(shell.out, shell.environ, time.monotonic)
        with (
            Interrupts() as interrupts,
            closing(transport(options, place, ways(options, user, place), interrupts)) as chat,
        ):
            if prompt is None:
                Conversation(question, chat, interrupts, screen, input).run(place.address)
            else:
                screen.show(chat.answer(question.followed_by("user", prompt)))

    try:
        return exit_code("chat", run, shell)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # For Python's own flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), shell.out.fileno())
        return READER_LEFT


def transport(
    options: Options, place: Place, opens: Iterator[Way], interrupts: Interrupts
) -> Transport:
    if options.over_websocket:
        from scripts.chat.websocket_chat import WebSocketChat  # noqa: PLC0415 -- either is slow

        return WebSocketChat(place, opens, interrupts)
    from scripts.chat.url_chat import UrlChat  # noqa: PLC0415 -- the same

    return UrlChat(place, opens, interrupts)


def _prompt(options: Options, shell: Shell) -> str | None:
    """The one prompt: of the command line, of stdin, or both. None: a conversation."""
    stdin, out, err = shell.stdin, shell.out, shell.err
    if stdin.isatty():
        if options.prompt is None and out.isatty():
            return None
        if options.prompt is None:
            err.write("Type the prompt, then Enter and Ctrl-D.\n")
    parts = [options.prompt or ""]
    if options.prompt is None or not stdin.isatty():
        if not select.select([stdin], [], [], SOON_S)[0] and not stdin.isatty():
            err.write("Waiting for the end of standard input (< /dev/null leaves it out).\n")
        parts.append(_read(stdin))
    prompt = "\n\n".join(filter(None, parts))
    if not prompt.strip():
        raise ToolError('The prompt is empty. Write it like this: npm run chat -- "Hello"')
    return prompt


def _read(stdin: TextIO) -> str:
    try:
        return stdin.buffer.read().decode("utf-8-sig").rstrip("\n")
    except UnicodeDecodeError as error:
        raise ToolError("The prompt on standard input must be text in UTF-8.") from error
