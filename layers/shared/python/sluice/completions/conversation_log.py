"""What was said, for the log of an operator who asks for it with LOG_CHAT=true. No I/O.

CloudWatch takes 256 KB a line, and JSON needs up to six bytes for a character.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
"""

from __future__ import annotations

import json

from sluice.completions.events import completion_events
from sluice.completions.parsers import text_deltas
from sluice.errors import SluiceError
from sluice.secret_mask import SecretMask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from sluice.request_log import RequestLog

MAX_LOGGED_ANSWER_CHARACTERS = 24 * 1024  # of an answer
MAX_LOGGED_MESSAGES_BYTES = 96 * 1024  # of a request's messages, as JSON
MAX_RECORDED_BYTES = 256 * 1024  # of an answer: events take some ten times the text in them
SAID_IN = ("messages", "input", "prompt", "instructions")
"""The fields of OpenAI's requests in which somebody says something."""


def log_conversation(log: RequestLog, messages: Any, answer: str, secrets: Iterable[str]) -> None:
    """Record what was said, as much as a line holds, without the gateway's keys."""
    mask = SecretMask(secrets)
    said = _without(mask, shortened(messages))
    text = mask.apply(answer[:MAX_LOGGED_ANSWER_CHARACTERS].encode("utf-8", "replace")).decode()
    log.conversation(said, text)


def _without(mask: SecretMask, messages: Any) -> Any:
    """The messages; as the text of their JSON where a key is a part of its form, such as digits."""
    text = mask.apply(json.dumps(messages).encode()).decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


def shortened(messages: Any) -> Any:
    """The messages, or where they are too long for a log, the beginning of their JSON."""
    text = json.dumps(messages)
    # Half, for as a text it is escaped once more.
    too_long = len(text) > MAX_LOGGED_MESSAGES_BYTES
    return text[: MAX_LOGGED_MESSAGES_BYTES // 2] if too_long else messages


def said_in(body: bytes) -> Any:
    """What the client says in a request; None where that is not JSON."""
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
