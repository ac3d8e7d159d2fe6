"""`npm run chatlog`: convert what LOG_CHAT=true has logged.

    npm run chatlog -- convert --to finetune -o examples.jsonl
    npm run chatlog -- convert --stage prod --since 7d -o chats.jsonl
    npm run chatlog -- convert --from Log/openai/chat --to openai-forward -o chat_openai.json

Without --stage and --from it reads the chat log of npm start. docs/chat-log.md has more.
"""

from __future__ import annotations

import argparse
import io
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from local.project.environment import chat_file
from scripts.access.command_line import exit_code, parsed
from scripts.access.errors import ToolError
from scripts.access.place import DEFAULT_REGION, SERVICE, session_of, user_settings
from scripts.access.shell import Shell, shell_of_process
from scripts.chatlog.chat_lines import ChatLine, conversations
from scripts.chatlog.command_line import command_line, since_ms
from scripts.chatlog.files import conversations_of
from scripts.chatlog.fine_tuning import example
from scripts.chatlog.output import opened, write_array, write_lines
from scripts.chatlog.tally import Tally
from scripts.chatlog.targets import forward_entry, own_line

TARGETS = {
    "jsonl": (own_line, write_lines),
    "openai-forward": (forward_entry, write_array),
    "finetune": (example, write_lines),
}


def main(shell: Shell) -> int:
    """Run the command and return the exit code."""

    def run() -> None:
        chosen = parsed(command_line(), shell)
        tally = Tally()
        found = _conversations(chosen, shell, tally)
        convert, write = TARGETS[chosen.to]
        with opened(chosen.output, shell.out) as file:
            write(_converted(found, convert, tally), file)
        shell.err.write(f"{tally.summary()}\n")
        if tally.is_nothing_but_broken():
            raise ToolError(
                f"{chosen.source or 'The chat log'} has no line of a chat log. Name a file that"
                " LOG_CHAT=true has written, or a log of openai-forward."
            )

    return exit_code("chatlog", run, shell)


def _converted(
    found: Iterator[ChatLine],
    convert: Callable[[ChatLine, Tally], ChatLine | None],
    tally: Tally,
) -> Iterator[ChatLine]:
    for line in found:
        document = convert(line, tally)
        if document is not None:
            tally.converted += 1
            yield document


def _conversations(chosen: argparse.Namespace, shell: Shell, tally: Tally) -> Iterator[ChatLine]:
    """Those of the source that the options name. Raises ToolError."""
    if chosen.stage and chosen.source:
        raise ToolError("Choose one source: --from FILE or --stage NAME.")
    if not chosen.stage and (chosen.region or chosen.since):
        raise ToolError("--region and --since need --stage: a file is read whole.")
    user = user_settings(chosen.stage, shell)
    if not chosen.stage:
        file = chosen.source or Path(chat_file(user, shell.folder))
        if not file.exists():
            hint = "" if chosen.source else " Start with LOG_CHAT=true, or name a file by --from."
            raise ToolError(f"There is no chat log at {file}.{hint}")
        return conversations_of(file, tally)
    from scripts.chatlog.cloudwatch import chat_lines  # noqa: PLC0415 -- 0.3 s for boto3

    session = session_of(user, chosen.region or DEFAULT_REGION)
    lines = chat_lines(SERVICE, chosen.stage, since_ms(chosen, shell.clock()), session)
    return conversations(lines, tally)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # its reader may have enough
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # JSON's, whatever the terminal has
    sys.exit(main(shell_of_process()))
