"""The lines of the chat log, once a request is over. docs/chat-log.md describes them."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path

from sluice.completions.conversation_file import append_line
from sluice.completions.request import ResponseType, TemplateRequest
from sluice.completions.transcript import answered_in_body, answered_in_events, request_fields
from sluice.secret_mask import MASKED, QUOTED_KEY, mask_of
from sluice.text import utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sluice.completions.conversation_log import Conversation
    from sluice.secret_mask import SecretMask

MAX_LINE_CHARACTERS = 125_000
"""Maximum length of a line on standard output. Lambda cuts lines after 256 KB, the local stack
after 128 KB. CloudWatch itself takes 1 MB.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""
MAX_PART_CHARACTERS = 60_000
"""Maximum part of a longer line. As a text in JSON it takes up to twice as many characters."""
NOT_AS_IT_IS = "[\x7f-\x9f\u2028\u2029]"
"""Characters that terminals obey, and that some programs take for line ends."""
SUSPECT = "[sp]k-|[\ud800-\udfff]"
"""What keys of providers begin with, and halves of characters."""


def lines_of(conversation: Conversation, figures: Mapping[str, Any]) -> list[str]:
    """The lines for standard output; the file gets one line.

    figures: those of the request's usual line. A line that is too long comes in parts, after the
    usual one.
    """
    asked_for = _asked(conversation)
    if not asked_for:
        return [json.dumps(figures)]
    said = {**_frame(conversation, figures), **asked_for, **_answered(conversation)}
    line = {**figures, **_cleaned(said, conversation.secrets())}
    if conversation.file:
        try:
            append_line(Path(conversation.file), written(line).encode() + b"\n")
        except OSError as error:
            failed = {"chat_file": type(error).__name__}
            figures, line = {**figures, **failed}, {**line, **failed}
    text = json.dumps(line)
    return [text] if len(text) <= MAX_LINE_CHARACTERS else _in_parts(text, figures)


def written(document: Mapping[str, Any], indent: int | None = None) -> str:
    """A document as JSON that people can read; one line of it for every program."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    return re.sub(NOT_AS_IT_IS, lambda found: f"\\u{ord(found[0]):04x}", text)


def clean(value: Any, mask: SecretMask) -> Any:
    """A value of JSON with keys masked in all its texts, and what looks like a provider's key."""
    if isinstance(value, str):
        return re.sub(QUOTED_KEY, MASKED, mask.apply(utf8(value))).decode()
    if isinstance(value, dict):
        return {clean(name, mask): clean(inner, mask) for name, inner in value.items()}
    if isinstance(value, list):
        return [clean(inner, mask) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _in_parts(text: str, figures: Mapping[str, Any]) -> list[str]:
    starts = range(0, len(text), MAX_PART_CHARACTERS)
    pieces = [text[start : start + MAX_PART_CHARACTERS] for start in starts]
    part = {"request_id": figures.get("request_id"), "chat_parts": len(pieces)}
    parts = [
        json.dumps({**part, "chat_part": number, "text": piece})
        for number, piece in enumerate(pieces, 1)
    ]
    return [json.dumps({**figures, "chat_parts": len(pieces)}), *parts]


def _asked(conversation: Conversation) -> dict[str, Any]:
    request = conversation.request
    if isinstance(request, TemplateRequest):  # without the prompt, which is the operator's
        asks_stream = request.response_type is ResponseType.STREAM
        template = request.prompt_template
        named = {"prompt_template": template} if template else {}
        return {"stream": asks_stream, **named, "messages": request.documents()}
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        document = None
    found = request_fields(document) if isinstance(document, dict) else {}
    return {"stream": document.get("stream") is True, **found} if found else {}


def _frame(conversation: Conversation, figures: Mapping[str, Any]) -> dict[str, Any]:
    milliseconds = int(conversation.began * 1000)
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    frame: dict[str, Any] = {"datetime": f"{second}.{milliseconds % 1000:03d}Z"}
    if conversation.source_ip:
        frame["source_ip"] = conversation.source_ip
    if "model" not in figures:
        frame["model"] = conversation.call.model
    if "status" not in figures and conversation.status:
        frame["status"] = conversation.status
    return frame


def _answered(conversation: Conversation) -> dict[str, Any]:
    cut = {"is_cut": True} if conversation.is_cut else {}
    if conversation.events:
        return {**answered_in_events(conversation.events), **cut}
    if conversation.chunks:
        return {**answered_in_body(conversation.headers, conversation.chunks), **cut}
    return {"answer": None}


def _cleaned(document: dict[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    """The document without keys, halves of characters, and numbers that JSON does not know."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        is_clean = not (re.search(SUSPECT, text) or any(key in text for key in secrets))
    except ValueError:  # such as 1e400, which Python reads as infinite
        is_clean = False
    if is_clean:
        return document
    cleaned: dict[str, Any] = clean(document, mask_of(secrets))
    return cleaned
