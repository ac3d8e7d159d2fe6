"""What was asked and answered, as fields of a line of the chat log. No I/O."""

from __future__ import annotations

import json

from sluice.completions.event_stream import pieces_of, recognized
from sluice.completions.folding import folded_choices, without_index
from sluice.completions.sse import EventParser
from sluice.errors import UpstreamBroken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

SAID_IN = ("messages", "prompt", "input", "instructions")
"""Members of OpenAI's requests that hold prompts."""
ASKED_WITH = ("temperature", "tools", "functions", "tool_choice")
"""Further members of requests that the log has."""
OTHER_PARTS = ("tool_calls", "function_call", "refusal", "reasoning_content", "reasoning", "audio")
"""Members of a message that the log has next to its content, if they are not empty."""
RESPONSES_PREFIX = "response."
"""The types of the events of /responses begin with it."""
TEXT_TYPES = ("application/json", "text/")


def request_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says and asks for; empty if it holds no prompt."""
    said = {name: document[name] for name in SAID_IN if name in document}
    if not said:
        return {}
    with_ = {name: document[name] for name in ASKED_WITH if document.get(name) is not None}
    return {**with_, **said}


def answered_in_body(headers: Mapping[str, str], chunks: Iterable[bytes]) -> dict[str, Any]:
    """What the bytes of an answer say, also of one that was cut off."""
    is_stream, pieces = recognized(headers, chunks)
    body: list[bytes] = []
    documents = _of_stream(pieces, body) if is_stream else _of_body(pieces, body)
    said = answered(documents)
    if said is None:
        is_text = headers.get("content-type", "").lower().startswith(TEXT_TYPES)
        said = {"answer": b"".join(body).decode("utf-8", "replace") if is_text else None}
    return said


def answered_in_events(events: Iterable[str]) -> dict[str, Any]:
    """The same for the data of events."""
    return answered(map(_of_event, events)) or {"answer": None}


def answered(documents: Iterable[object]) -> dict[str, Any] | None:
    """What the events of an answer say, or its one document; None if they are unknown."""
    answer = _Answer()
    return answer.fields(folded_choices(answer.completions(documents)))


def _of_stream(chunks: Iterable[bytes], body: list[bytes]) -> Iterator[object]:
    parser = EventParser()
    body += chunks
    for piece in pieces_of(b"".join(body)):
        try:
            events = parser.feed(piece)
        except UpstreamBroken:  # an event that no reader takes
            return
        for event in events:
            yield _of_event(event.data or "")
    if (cut_off := parser.end()) is not None:
        yield _of_event(cut_off.data or "")


def _of_body(chunks: Iterable[bytes], body: list[bytes]) -> Iterator[object]:
    body += chunks
    try:
        yield json.loads(b"".join(body))
    except (ValueError, RecursionError):
        return


def _of_event(data: str) -> object:
    """The JSON of an event's data, if it is JSON; `json.loads` takes half as long again."""
    text = data.strip()
    try:
        document, end = _decode(text)
    except (ValueError, RecursionError):
        return None
    return document if end == len(text) else None


_decode = json.JSONDecoder().raw_decode


class _Answer:
    """What is known of an answer so far, apart from choices."""

    def __init__(self) -> None:
        self._response: dict[str, Any] | None = None
        self._items: list[Any] = []
        """Output items of a response that have ended."""
        self._texts: list[str] = []
        """The text of an output item that has not."""
        self._other: dict[str, Any] | None = None
        self._error: object = None

    def completions(self, documents: Iterable[object]) -> Iterator[dict[str, Any]]:
        """Pass on those with choices, and read the others."""
        for document in documents:
            if isinstance(document, dict):
                self._error = document.get("error") or self._error
                if isinstance(document.get("choices"), list):
                    yield document
                else:
                    self._add(document)

    def fields(self, choices: list[dict[str, Any]]) -> dict[str, Any] | None:
        failed = {"error": self._error} if self._error else {}
        if choices:
            return _of_choices(choices) | failed
        if self._response is not None or self._items or self._texts:
            return self._of_response() | failed
        if failed:
            return {"answer": None, **failed}
        if self._other is None:
            return None
        is_data = isinstance(self._other.get("data"), list)  # vectors, pictures, lists of files
        return {"answer": None if is_data else self._other}

    def _add(self, document: dict[str, Any]) -> None:
        kind = document.get("type")
        if document.get("object") == "response":
            self._response = document
        elif isinstance(kind, str) and kind.startswith(RESPONSES_PREFIX):
            self._add_event(kind, document)
        elif kind is None and self._other is None:
            self._other = document

    def _add_event(self, kind: str, event: dict[str, Any]) -> None:
        response, delta = event.get("response"), event.get("delta")
        if isinstance(response, dict):
            self._response = response
            self._error = response.get("error") or self._error
        elif kind == "response.output_text.delta" and isinstance(delta, str):
            self._texts.append(delta)
        elif kind == "response.output_item.done":
            self._items.append(event.get("item"))
            self._texts.clear()

    def _of_response(self) -> dict[str, Any]:
        response = self._response or {}
        output = response.get("output") or self._items
        texts: list[object] = []
        calls = []
        for item in output if isinstance(output, list) else ():
            kind = item.get("type") if isinstance(item, dict) else None
            if kind == "message":
                texts += _texts(item.get("content"))
            elif kind == "function_call":
                function = {"name": item.get("name"), "arguments": item.get("arguments")}
                calls.append({"id": item.get("call_id"), "type": "function", "function": function})
        texts += () if response.get("output") else self._texts
        text = "".join(text for text in texts if isinstance(text, str))
        said = {"answer": text or None, **({"tool_calls": calls} if calls else {})}
        return {**said, "finish_reason": response.get("status")}


def _texts(content: object) -> list[object]:
    parts = content if isinstance(content, list) else ()
    return [part.get("text") for part in parts if isinstance(part, dict)]


def _of_choices(choices: list[dict[str, Any]]) -> dict[str, Any]:
    """The first choice, and the others in the same form."""
    first, *others = [_of_choice(choice) for choice in choices]
    return {**first, "other_answers": others} if others else first


def _of_choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    parts = {name: message[name] for name in OTHER_PARTS if message.get(name)}
    if isinstance(calls := parts.get("tool_calls"), list):
        parts["tool_calls"] = [
            without_index(call) if isinstance(call, dict) else call for call in calls
        ]
    text = message.get("content", choice.get("text"))
    return {"answer": text, **parts, "finish_reason": choice.get("finish_reason")}
