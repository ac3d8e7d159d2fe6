"""What a provider says of a failure, in the shapes that common servers use. No I/O.

OpenAI sends {"error": {"message", …}}. Others send a flat object (vLLM), a list (Gemini), `detail`
(FastAPI), `message` with more inside (Mistral), `Message` (AWS), text, or a page.
"""

from __future__ import annotations

import json
import re

from sluice.errors import MAX_REPORTED_CHARACTERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WORDS = (
    "message", "Message", "error_description", "error_message", "errorMessage", "error_msg", "msg",
    "detail", "details", "error", "Error", "errors", "status_msg", "base_resp", "reason",
    "description", "title", "fault", "faultstring", "exception",
)  # fmt: skip
"""The fields that say why, the most telling first; each may hold an object or a list again."""
OTHER_FIELDS = ("type", "param", "code")
STATUSES = ("code", "status", "statusCode", "status_code", "error_code")
FIRST_ERROR_STATUS = 400
NAMES_AN_ERROR = "(?i)error|exception"
MAX_DEPTH = 8
MAX_ITEMS = 8  # of a list; a form has few fields that are wrong
NO_WORDS = ("", "null", "[DONE]")
EVENT_FIELDS = r"(?:(?::.*|(?:event|id|retry):.*)?[\r\n]+)*(?:data|error):"
"""Some servers send an error as events, whatever its status."""


def reported_error(body: bytes) -> dict[str, Any] | None:
    """The error in a body, with `message` and what else OpenAI's has; None if it says nothing."""
    text = body.decode("utf-8-sig", "replace").strip()
    if (events := re.match(EVENT_FIELDS, text)) is not None:
        text = text[events.end() :].lstrip()
    if not text.startswith(("{", "[", '"')):
        return _of_text(text)
    try:
        document, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return _of_text(text)
    return error_in(document)


def error_in(document: object) -> dict[str, Any] | None:
    """The same for what a body's JSON holds."""
    if isinstance(document, list):
        found = [error for item in document[:MAX_ITEMS] if (error := error_in(item))]
        return found[0] if found else None
    if isinstance(document, str):
        return _of_text(document)
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    words = _words(document, MAX_DEPTH)
    if isinstance(error, dict):
        inner = _words(error, MAX_DEPTH)
        return {**error, "message": inner or words or None}
    if not words:
        return None
    fields = {name: document[name] for name in OTHER_FIELDS if name in document}
    if isinstance(error, str) and error != words:
        fields.setdefault("code", error)  # next to words it is a code, as in OAuth
    return {**fields, "message": words}


def is_error(document: object) -> bool:
    """Whether an event reports an error, if its name does not say so."""
    if isinstance(document, list):
        return any(is_error(item) for item in document[:MAX_ITEMS])
    if not isinstance(document, dict):
        return False
    if document.get("error"):
        return True
    if document.get("choices") or not _words(document, MAX_DEPTH):
        return False
    kinds = (document.get("object"), document.get("type"), document.get("code"))
    return any(_is_error_status(document.get(name)) for name in STATUSES) or any(
        isinstance(kind, str) and names_an_error(kind) for kind in kinds
    )


def names_an_error(text: str) -> bool:
    return re.search(NAMES_AN_ERROR, text) is not None


def _is_error_status(value: object) -> bool:
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:4])
    return type(value) is int and value >= FIRST_ERROR_STATUS


def _of_text(text: str) -> dict[str, Any] | None:
    """Of a page nothing is left but the status of its reply."""
    words = " ".join(text[: 2 * MAX_REPORTED_CHARACTERS].split())
    is_text = words.isprintable() and "\ufffd" not in words and not words.startswith("<")
    return {"message": words} if is_text and words not in NO_WORDS else None


def _words(value: object, depth: int) -> str:
    if isinstance(value, str):
        text = value.strip()
        return "" if text.startswith("<") else text
    if not depth:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (_words(item, depth - 1) for item in value[:MAX_ITEMS])))
    if not isinstance(value, dict):
        return ""
    words = (_words(value[name], depth - 1) for name in WORDS if name in value)
    found = next(filter(None, words), "")
    where = value.get("loc")  # FastAPI's name for a field's place
    if found and isinstance(where, list):
        return f"{'.'.join(map(str, where[:MAX_ITEMS]))}: {found}"
    return found
