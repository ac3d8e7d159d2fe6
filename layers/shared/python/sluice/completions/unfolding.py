"""A JSON answer as the event stream that the same request with `stream` returns. No I/O.

For chat completions and legacy completions. `folding` goes the other way.
"""

from __future__ import annotations

from sluice.completions.events import compact_json, completion_events
from sluice.completions.folding import CHAT, IDENTITY, TEXT, are_finished
from sluice.errors import UpstreamBroken, UpstreamRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

IN_EACH_EVENT = (*IDENTITY, "system_fingerprint", "service_tier")
EVENT_KINDS = {CHAT: "chat.completion.chunk", TEXT: TEXT}
FRAME = ("index", "message", "text", "finish_reason")
DONE = b"data: [DONE]\n\n"


def event_stream(
    body: bytes, *, includes_usage: bool, piece_characters: int | None = None
) -> bytes | None:
    """The event stream of a JSON answer; None if it is not one, or did not end well.

    piece_characters: maximum length of each event's text, for clients that get events at a pace.
    """
    try:
        document = _answer(body)
        if document is None:
            return None
        events = _events(document, piece_characters, includes_usage=includes_usage)
        return b"".join((*events, DONE))
    except (UpstreamBroken, UpstreamRefused, RecursionError):
        return None


def _answer(body: bytes) -> dict[str, Any] | None:
    found = list(completion_events({}, [body]))
    document = found[0].document
    choices = document["choices"]
    if len(found) > 1 or not are_finished(choices):
        return None
    kinds = {_kind(choice) for choice in choices}
    return {**document, "object": kinds.pop()} if kinds in ({CHAT}, {TEXT}) else None


def _kind(choice: dict[str, Any]) -> str | None:
    if isinstance(choice.get("message"), dict):
        return CHAT
    return TEXT if isinstance(choice.get("text"), str) else None


def _events(
    document: dict[str, Any], piece_characters: int | None, *, includes_usage: bool
) -> Iterator[bytes]:
    kind, usage = document["object"], document.get("usage")
    each = {name: document[name] for name in IN_EACH_EVENT if name in document}
    each["object"] = EVENT_KINDS[kind]
    hidden = ("choices", "usage", *each)
    once = {name: value for name, value in document.items() if name not in hidden}
    if includes_usage:
        each["usage"] = None
    for index, choice in enumerate(document["choices"]):
        pieces = _chat_pieces if kind == CHAT else _text_pieces
        for piece in pieces(choice, piece_characters):
            yield _event({**each, **once, "choices": [{"index": index, **piece}]})
            once = {}
    if includes_usage and usage is not None:
        yield _event({**each, "choices": [], "usage": usage})


def _chat_pieces(choice: dict[str, Any], piece_characters: int | None) -> Iterator[dict[str, Any]]:
    message, logprobs = choice["message"], _logprobs(choice)
    empty = {name: value for name, value in message.items() if not value}
    if isinstance(message.get("content"), str):
        empty["content"] = ""
    first = {**empty, "role": message.get("role") or "assistant"}
    no_logprobs = dict.fromkeys(logprobs)
    yield {"delta": first, **no_logprobs, "finish_reason": None}
    for delta in _deltas(message, piece_characters):
        yield {"delta": delta, **logprobs, "finish_reason": None}
        logprobs = no_logprobs
    yield {"delta": {}, **logprobs, **_at_the_end(choice)}


def _deltas(message: dict[str, Any], piece_characters: int | None) -> Iterator[dict[str, Any]]:
    """What a message says, its reasoning first."""
    for name in sorted(message, key=lambda name: not name.startswith(("reasoning", "thinking"))):
        value = message[name]
        if not value or name == "role":
            continue
        if isinstance(value, str):
            for piece in _split(value, piece_characters):
                yield {name: piece}
        elif name == "tool_calls" and isinstance(value, list):
            for index, call in enumerate(value):
                yield {name: [{**call, "index": index} if isinstance(call, dict) else call]}
        else:
            yield {name: value}


def _text_pieces(choice: dict[str, Any], piece_characters: int | None) -> Iterator[dict[str, Any]]:
    logprobs = _logprobs(choice)
    for piece in _split(choice["text"], piece_characters):
        yield {"text": piece, **logprobs, "finish_reason": None}
        logprobs = dict.fromkeys(logprobs)
    yield {"text": "", **logprobs, **_at_the_end(choice)}


def _logprobs(choice: dict[str, Any]) -> dict[str, Any]:
    return {"logprobs": choice["logprobs"]} if "logprobs" in choice else {}


def _at_the_end(choice: dict[str, Any]) -> dict[str, Any]:
    """The finish reason, and members that are the provider's own."""
    own = {name: value for name, value in choice.items() if name not in (*FRAME, "logprobs")}
    return {**own, "finish_reason": choice["finish_reason"]}


def _split(text: str, piece_characters: int | None) -> Iterator[str]:
    size = piece_characters or len(text)
    for start in range(0, len(text), size or 1):
        yield text[start : start + size]


def _event(document: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % compact_json(document).encode()
