"""What was said, for the log with LOG_CHAT=true. No I/O.

A line of CloudWatch has at most 256 KB, and JSON takes up to six bytes per character.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
"""

from __future__ import annotations

import json

from sluice.completions.events import completion_events
from sluice.completions.parsers import text_deltas
from sluice.errors import SluiceError
from sluice.secret_mask import SecretMask
from sluice.text import utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from sluice.request_log import RequestLog

MAX_LOGGED_ANSWER_CHARACTERS = 24 * 1024
MAX_LOGGED_MESSAGES_BYTES = 96 * 1024  # as JSON
MAX_RECORDED_BYTES = 256 * 1024  # events take some ten times the bytes of their text
SAID_IN = ("messages", "input", "prompt", "instructions")
"""The fields of OpenAI's requests that hold prompts."""


def log_conversation(log: RequestLog, messages: Any, answer: str, secrets: Iterable[str]) -> None:
    """Record what was said, as much as fits a line, with keys masked."""
    mask = SecretMask(secrets)
    said = _without(mask, shortened(messages))
    text = mask.apply(utf8(answer[:MAX_LOGGED_ANSWER_CHARACTERS])).decode()
    log.conversation(said, text)


def _without(mask: SecretMask, messages: Any) -> Any:
    """The messages with keys masked; as text if that breaks their JSON, after a backslash."""
    text = mask.apply(json.dumps(messages).encode()).decode()
    try:
        return json.loads(text, parse_constant=lambda _name: None)  # 1e400 is Infinity in Python
    except ValueError:
        return text


def shortened(messages: Any) -> Any:
    """The messages, or the beginning of their JSON if they are too long for a log."""
    text = json.dumps(messages)
    # Half, because a text is escaped once more.
    too_long = len(text) > MAX_LOGGED_MESSAGES_BYTES
    return text[: MAX_LOGGED_MESSAGES_BYTES // 2] if too_long else messages


def said_in(body: bytes) -> Any:
    """The prompts in a request; None if it is not a JSON object."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    said = {name: document[name] for name in SAID_IN if name in document}
    return said["messages"] if said.keys() == {"messages"} else said


class Recording:
    """The beginning of an answer that passes by, as bytes or as texts."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._room = MAX_RECORDED_BYTES
        self._text = ""

    def add_chunk(self, chunk: bytes) -> None:
        if self._room > 0:
            self._chunks.append(chunk[: self._room])
            self._room -= len(chunk)

    def add_text(self, text: str) -> None:
        self._text += text[: MAX_LOGGED_ANSWER_CHARACTERS - len(self._text)]

    def text(self, headers: Mapping[str, str]) -> str:
        """The answer's text; other text as it is; nothing of a binary answer."""
        if not self._chunks:
            return self._text
        body = b"".join(self._chunks)
        said = ""
        try:
            for delta in text_deltas(completion_events(headers, [body])):
                said += delta
        except SluiceError:  # cut off, or no completion: log the text until there
            pass
        is_text = headers.get("content-type", "").startswith(("text/", "application/json"))
        return said or (body.decode("utf-8", "replace") if is_text else "")
