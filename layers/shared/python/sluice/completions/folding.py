"""A streamed answer as the JSON document that the same request without `stream` returns. No I/O.

For chat completions and legacy completions. `unfolding` goes the other way.
https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode

from sluice.completions.event_stream import END_MARK_LINE, EVENT_STREAM, LINE_ENDS, pieces_of
from sluice.completions.events import compact_json, completion_events
from sluice.errors import UpstreamBroken, UpstreamRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

CHAT, TEXT = "chat.completion", "text_completion"
"""The kinds of answers, as the member `object` names them."""
IDENTITY = ("id", "created", "model")
"""Members that are the same in every event. Azure's first event has empty ones."""
NOT_FOLDED = ("object", "choices", "obfuscation")
"""Top-level members of an event that a document has in another form, or not at all."""
CHOICE_FRAME = ("index", "delta", "message")
WHOLE_TEXTS = ("role", "type", "id", "format")
"""Members of a delta whose text never comes in pieces. Some providers repeat them in each event."""
FAILED = ("error", "abort", "cancelled", "insufficient_system_resource")
"""Finish reasons of answers that failed: OpenRouter's, vLLM's and SGLang's, and DeepSeek's."""


def whole_answer(body: bytes) -> bytes | None:
    """The JSON document of an answer's event stream. None if the stream did not end well.

    That is: an error, an event that cannot be read, or a choice without a finish reason.
    """
    try:
        document = None if _is_cut_off(body) else _folded(body)
        return None if document is None else compact_json(document).encode()
    except (UpstreamBroken, UpstreamRefused, RecursionError):
        return None


def are_finished(choices: object) -> bool:
    """Whether these are all choices of an answer that ended well."""
    return isinstance(choices, list) and all(map(_is_finished, choices, range(len(choices))))


def _is_finished(choice: object, index: int) -> bool:
    if not isinstance(choice, dict) or choice.get("index", 0) != index or choice.get("error"):
        return False
    reason = choice.get("finish_reason")
    return bool(reason) and reason not in FAILED


def _is_cut_off(body: bytes) -> bool:
    """Whether the stream ends within a line."""
    if body.endswith(LINE_ENDS) or re.search(END_MARK_LINE, body):
        return False
    line = (body.splitlines() or [b""])[-1]
    try:
        return not isinstance(json.loads(line.removeprefix(b"data:")), dict)
    except (ValueError, RecursionError):
        return True


def _folded(body: bytes) -> dict[str, Any] | None:
    answer: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    kind = CHAT
    for event in completion_events({"content-type": EVENT_STREAM}, pieces_of(body)):
        if "choices" not in event.document and "usage" not in event.document:
            continue  # a heartbeat in JSON
        _add_members(answer, event.document)
        found = event.document.get("choices") or []
        for choice in found if isinstance(found, list) else [found]:
            if not _is_added(choice, choices):
                return None
            if "text" in choice:
                kind = TEXT
    folded = [_plain(choices[index]) for index in sorted(choices)]
    if not are_finished(folded):
        return None
    for choice in folded:
        _complete(choice, kind)
    usage = answer.pop("usage", None)
    # At the end, where providers have it, too.
    counted = {} if usage is None else {"usage": usage}
    return {**answer, "object": kind, "choices": folded, **counted}


def folded_choices(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The choices as far as events tell, also those of an answer that did not end well."""
    choices: dict[int, dict[str, Any]] = {}
    for event in events:
        for choice in event["choices"]:
            try:  # noqa: SIM105 -- for each event, and `suppress` takes as long as the rest
                _is_added(choice, choices)
            except (AttributeError, TypeError):  # an entry in a form that nobody knows
                pass
    return [_plain(choices[index]) for index in sorted(choices)]


def _is_added(choice: Any, choices: dict[int, dict[str, Any]]) -> bool:
    """Add an event's choice to what is known of the one with its index, if it has one."""
    index = choice.get("index", 0) if isinstance(choice, dict) else None
    if type(index) is not int:
        return False
    _add_choice(choices.setdefault(index, {"index": index}), choice)
    return True


def _add_members(answer: dict[str, Any], event: Mapping[str, Any]) -> None:
    """Top-level members: the last value counts, and null does not count."""
    for name, value in event.items():
        if name in NOT_FOLDED or (name in answer and answer[name] == value):
            continue  # nearly always: each event repeats them
        is_better = not answer.get(name) if name in IDENTITY else value is not None
        if is_better or name not in answer:
            answer[name] = value


def _add_choice(choice: dict[str, Any], event: Mapping[str, Any]) -> None:
    part = event.get("delta")
    if not isinstance(part, dict):
        # A whole message in the last event repeats what deltas said.
        part = None if _has_said(choice) else event.get("message")
    if isinstance(part, dict):
        _add_all(choice.setdefault("message", {}), part, joins=True)
    for name, value in event.items():
        if name in CHOICE_FRAME:
            continue
        old = choice.get(name)
        # Azure's results have a member for each category, which is new each time.
        if isinstance(value, dict) and isinstance(old, dict) and name.endswith("_results"):
            choice[name] = {**old, **value}
        else:
            _add(choice, name, value, joins=name == "text")


def _has_said(choice: Mapping[str, Any]) -> bool:
    message = choice.get("message", {})
    return any(value for name, value in message.items() if name != "role")


class _Text:
    """A text whose pieces are joined at the end: each join on the way would copy all of it."""

    def __init__(self, piece: str) -> None:
        self.pieces = [piece] if piece else []

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def __str__(self) -> str:
        return "".join(self.pieces)


def _add_all(holder: dict[str, Any], members: Mapping[str, Any], *, joins: bool) -> None:
    for name, value in members.items():
        _add(holder, name, value, joins=joins)


def _add(holder: dict[str, Any], name: str, value: object, *, joins: bool) -> None:
    """Add what an event says of one member. joins: whether texts come in pieces."""
    if value is None:
        holder.setdefault(name, None)
        return
    old = holder.get(name)
    if isinstance(value, str):
        if joins and name not in WHOLE_TEXTS:
            _add_text(holder, name, value)
        elif value or old is None:
            holder[name] = value
    elif isinstance(value, dict):
        if not isinstance(old, dict):
            old = holder[name] = {}
        _add_all(old, value, joins=joins)
    elif isinstance(value, list):
        if not isinstance(old, list):
            old = holder[name] = _text_parts(old)
        for entry in value:
            _add_entry(old, entry, joins=joins)
    else:
        holder[name] = value


def _add_text(holder: dict[str, Any], name: str, value: str) -> None:
    old = holder.get(name)
    if isinstance(old, list):
        old += _text_parts(value)
    elif not isinstance(old, _Text):
        holder[name] = _Text(value)
    elif value and not (name == "name" and str(old) == value):  # some repeat a function's name
        old.pieces.append(value)


def _text_parts(text: object) -> list[Any]:
    """A text as a content's parts: Mistral's reasoning models send both."""
    is_text = isinstance(text, str | _Text) and text
    return [{"type": "text", "text": str(text)}] if is_text else []


def _add_entry(entries: list[Any], entry: object, *, joins: bool) -> None:
    """Add an entry of a list: to the one with its index, or else at the end."""
    if not joins or not isinstance(entry, dict):
        entries.append(entry)
        return
    earlier = reversed(entries) if _is_piece(entry) else ()
    same = next((old for old in earlier if _continues(entry, old)), None)
    if same is None:
        same = {}
        entries.append(same)
    _add_all(same, entry, joins=True)


def _is_piece(entry: dict[str, Any]) -> bool:
    """Whether an entry may add to an earlier one: some providers number no pieces of tool calls."""
    has_index = entry.get("index") is not None
    return has_index or ("function" in entry and not (entry.get("id") or _is_named(entry)))


def _continues(piece: dict[str, Any], old: object) -> bool:
    """Whether a piece adds to this entry. Some providers give each tool call the same index."""
    if not isinstance(old, dict) or _differ(piece.get("type"), old.get("type")):
        return False
    index = piece.get("index")
    if index is None or index != old.get("index"):
        return index is None
    return not (_is_named(piece) and _differ(piece.get("id"), old.get("id")))


def _is_named(entry: Mapping[str, Any]) -> bool:
    function = entry.get("function")
    return isinstance(function, dict) and bool(function.get("name"))


def _differ(one: object, other: object) -> bool:
    return bool(one and other and one != other)


def _complete(choice: dict[str, Any], kind: str) -> None:
    """Give a choice the members that a document always has."""
    if kind == TEXT:
        choice.setdefault("text", "")
        return
    message = choice["message"] = {
        "role": "assistant",
        "content": None,
        **choice.get("message", {}),
    }
    calls, audio = message.get("tool_calls"), message.get("audio")
    if isinstance(calls, list):
        message["tool_calls"] = _without_indexes(calls)
    if isinstance(audio, dict) and isinstance(audio.get("data"), str):
        audio["data"] = _one_base64(audio["data"])


def _without_indexes(calls: list[Any]) -> list[Any]:
    """Tool calls in the order of their indexes, which only deltas have."""
    known = [call for call in calls if isinstance(call, dict)]
    if all(type(call.get("index")) is int for call in known):
        known.sort(key=lambda call: call["index"])
    return [without_index(call) for call in known]


def without_index(call: dict[str, Any]) -> dict[str, Any]:
    """A tool call as whole answers have it: streams number them."""
    return {name: value for name, value in call.items() if name != "index"}


def _one_base64(text: str) -> str:
    """Base64 whose pieces were each encoded alone, as one piece."""
    if "=" not in text.rstrip("="):
        return text
    try:
        return b64encode(b"".join(map(b64decode, re.findall("[^=]+=*", text)))).decode()
    except ValueError:
        return text


def _plain(value: Any) -> Any:
    """The value with its texts joined."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, _Text) else value
