"""The conversations in lines of the chat log, with those joined that came in parts (no I/O)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from scripts.chatlog.tally import Tally

MAX_NESTING = 2
"""Lambda's JSON logs have the function's own line as `message`."""
MARKS = ('"datetime"', '"chat_part"')
"""A line of CloudWatch without them is of another kind; quotation marks may be escaped."""

ChatLine = dict[str, Any]
"""A line of the chat log, parsed. docs/chat-log.md describes its fields."""


def conversations(lines: Iterable[str], tally: Tally) -> Iterator[ChatLine]:
    """The conversations, in the order of the lines that complete them."""
    parts: dict[str, dict[int, str]] = {}
    for line in lines:
        document = _document(line)
        if document is None:
            tally.broken += 1
            continue
        if "chat_part" in document:
            document = _joined(document, parts)
        if "datetime" in document and "answer" in document:
            yield document
    tally.broken += len(parts)


def is_chat_line(line: str) -> bool:
    """Whether a line of a function's log may belong to the chat log."""
    return any(mark in line.replace("\\", "") for mark in MARKS)


def _document(line: str) -> ChatLine | None:
    """The function's own object in a line, after what may precede it; None if it has none."""
    text: Any = line[max(line.find("{"), 0) :]
    for _ in range(MAX_NESTING):
        try:
            document = json.loads(text) if isinstance(text, str) else text
        except (ValueError, RecursionError):
            return None
        if not isinstance(document, dict):
            return None
        if "request_id" in document or "datetime" in document:
            return document
        text = document.get("message")
        if not isinstance(text, str | dict):
            break
    return {}


def _joined(part: ChatLine, parts: dict[str, dict[int, str]]) -> ChatLine:
    """The conversation that this part completes, or nothing yet."""
    name, number, count = part.get("request_id"), part.get("chat_part"), part.get("chat_parts")
    text = part.get("text")
    if not (isinstance(name, str) and isinstance(number, int) and isinstance(text, str)):
        return {}
    found = parts.setdefault(name, {})
    found[number] = text
    if len(found) != count:
        return {}
    try:
        document = json.loads("".join(found[each] for each in sorted(found)))
    except (ValueError, RecursionError):
        return {}  # stays in `parts`, and is counted at the end
    del parts[name]
    return document if isinstance(document, dict) else {}
