"""A chat completion as events, streamed or whole. No I/O.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
import math
import re

from sluice.completions.event_stream import END_MARK, recognized
from sluice.completions.request import NotANumberError, reject_constant
from sluice.completions.sse import EventParser
from sluice.errors import UpstreamBroken, UpstreamRefused
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from typing import Any

    from sluice.completions.sse import Event

MAX_COMPLETION_BYTES = 8 * 1024 * 1024
"""Maximum size of an answer in one piece, in bytes: any model's longest answer, with log
probabilities."""
MAX_CONTAINERS = 500_000
"""Maximum number of lists and objects in one event. Each takes some 200 bytes of memory, also if it
takes three in JSON. Log probabilities have one in 50 bytes."""
END = END_MARK.decode()
ERROR_FIELD = "(?m)^error:"
"""What llama.cpp's server writes instead of `data:`."""
NO_DATA = ("", "null")
"""The data of an event that says nothing: a heartbeat."""
TEXT_PARTS = ("text", "output_text", None)
"""The types of a content's parts that are the answer's text, and not thinking."""
NOT_JSON = "The upstream sent an event that is not JSON. Check that it is an OpenAI-compatible API."


class CompletionEvent(NamedTuple):
    """One event of a chat completion, or a whole completion, with a message instead of a delta."""

    data: str
    """JSON, as the upstream sent it."""
    document: dict[str, Any]
    """The parsed data."""
    text: str
    """What it adds to the answer's text; may be empty."""


class NotJsonError(UpstreamBroken):
    """Data that cannot be parsed."""


def completion_events(
    headers: Mapping[str, str], chunks: Iterable[bytes]
) -> Generator[CompletionEvent, None, None]:
    """The events of an answer, without the end mark. An answer that is not streamed is one event.

    headers: the upstream's, names in lower case. Raises UpstreamBroken if the answer is cut short
    or invalid, UpstreamRefused if it reports an error.
    """
    if encoding := headers.get("content-encoding"):
        from sluice.upstream.decompression import decompressed  # noqa: PLC0415 -- few servers do

        chunks = decompressed(encoding, chunks)
    is_stream, chunks = recognized(headers, chunks)
    answer = _Answer()
    yield from _streamed(chunks, answer) if is_stream else _whole(chunks, answer)


def _streamed(chunks: Iterable[bytes], answer: _Answer) -> Iterator[CompletionEvent]:
    parser = EventParser()
    for chunk in chunks:
        for event in parser.feed(chunk):
            if event.other:
                yield from answer.without_a_field(event.other)
            if (found := answer.event_of(event)) is not None:
                yield found
            if answer.has_ended:
                return
        if parser.begun_data().strip() == END_MARK:
            break  # not every provider ends its last lines
    cut_off = parser.end()
    if cut_off is not None and _is_complete(cut_off.data):
        yield from answer.without_a_field(cut_off.other)
        if (found := answer.event_of(cut_off)) is not None:
            yield found
    if not answer.has_ended:
        answer.end("The upstream's stream ended before its answer.")


def _is_complete(data: str | None) -> bool:
    """Whether the data of an event without its blank line is all there."""
    try:
        return data is None or data.strip() == END or isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False


def _whole(chunks: Iterable[bytes], answer: _Answer) -> Iterator[CompletionEvent]:
    rest = yield from answer.documents(_whole_body(chunks).decode("utf-8-sig", "replace"))
    if not rest:
        answer.end("The upstream's answer has no choices.")
        return
    is_stream, pieces = recognized({}, (rest.encode(),))
    if not is_stream:
        raise _failure_in_text(rest)
    yield from _streamed(pieces, answer)


def _whole_body(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_COMPLETION_BYTES:
            raise UpstreamBroken(f"The upstream's answer has over {MAX_COMPLETION_BYTES} bytes.")
    return bytes(body)


class _Answer:
    """What is known of an answer so far: whether it has begun, is complete, or has failed."""

    def __init__(self) -> None:
        self.has_ended = False
        self._has_choice = self._has_text = self._is_complete = False
        self._said: dict[str, Any] | None = None
        """What may explain a failure, such as an event with a message and no choices."""

    def event_of(self, event: Event) -> CompletionEvent | None:
        """What the data of an event says; None for a heartbeat and the end mark."""
        data = (event.data or "").strip()
        if data in NO_DATA:
            return None
        if data == END:
            self.end_at_mark()
            return None
        if event.name and event.name.strip().lower() == "error":
            raise _refused_with(data)
        _check_size(data)
        try:
            own, document, end = _decoded(data)
        except NotJsonError as error:
            raise _failure_in_text(data) from error
        if end < len(data):
            raise UpstreamBroken(NOT_JSON)
        return self._event(own, document)

    def documents(self, text: str) -> Generator[CompletionEvent, None, str]:
        """The completions in JSON that no `data:` precedes. Returns what follows them."""
        _check_size(text)
        start = _after_blanks(text, 0)
        while text.startswith(("{", "["), start):
            try:
                own, document, end = _decoded(text, start)
            except NotJsonError:
                break
            event = self._event(own, document, is_whole=True)
            if document.get("choices"):
                yield event
            start = _after_blanks(text, end)
        return text[start:]

    def end_at_mark(self) -> None:
        """Raises UpstreamRefused or UpstreamBroken if the answer has not begun."""
        self.has_ended = True
        if not self._has_choice:
            raise self._failure("The upstream ended its answer before it began.")

    def end(self, fault: str) -> None:
        """The same for the end without a mark, unless the answer is complete."""
        if not self._is_complete:
            raise self._failure(fault)

    def _failure(self, fault: str) -> UpstreamBroken | UpstreamRefused:
        return UpstreamBroken(fault) if self._said is None else _refusal(self._said)

    def without_a_field(self, text: str) -> Iterator[CompletionEvent]:
        """What lines say that are no fields of an event."""
        error = re.search(ERROR_FIELD, text)
        if error is not None:
            raise _refused_with(text[error.end() :])
        rest = yield from self.documents(text)
        if rest and not rest.startswith("data:"):
            self._said = _error_in_text(rest) or self._said

    def _event(self, data: str, document: Any, *, is_whole: bool = False) -> CompletionEvent:
        choices = document.get("choices") if isinstance(document, dict) else None
        if not choices or document.get("error"):
            self._look_for_error(document)
        choice = _first_choice(choices)
        self._has_choice = self._has_choice or bool(choices)
        delta = choice.get("delta")
        is_delta = isinstance(delta, dict)
        text = _content(delta) if is_delta or self._has_text else _content(choice.get("message"))
        self._has_text = self._has_text or bool(text)
        if choice.get("finish_reason") or (is_whole and choices and not is_delta):
            self._is_complete = True
        return CompletionEvent(data, document, text)

    def _look_for_error(self, document: Any) -> None:
        from sluice.upstream.error_words import error_in, is_error  # noqa: PLC0415 -- few events

        if is_error(document):
            raise _refusal(error_in(document))
        if not isinstance(document, dict):
            raise UpstreamBroken("The upstream sent an event that is not a JSON object.")
        self._said = error_in(document) or self._said


def _refusal(reported: dict[str, Any] | None) -> UpstreamRefused:
    """An error in a stream. The status of its reply was 200, so it gets one here."""
    message = "The upstream reported an error within its answer."
    return UpstreamRefused(502, {}, b"", reported, message)


def _refused_with(text: str) -> UpstreamRefused:
    return _refusal(_error_in_text(text))


def _failure_in_text(text: str) -> UpstreamBroken | UpstreamRefused:
    """What a text says that stands where JSON should: an error only if it says so."""
    from sluice.upstream.error_words import names_an_error  # noqa: PLC0415 -- few answers fail

    said = None if text.startswith("{") else _error_in_text(text)
    is_error = said is not None and names_an_error(said["message"])
    return _refusal(said) if is_error else UpstreamBroken(NOT_JSON)


def _error_in_text(text: str) -> dict[str, Any] | None:
    from sluice.upstream.error_words import reported_error  # noqa: PLC0415 -- few answers fail

    return reported_error(text.encode())


def _first_choice(choices: object) -> dict[str, Any]:
    """The first choice. Azure's first event and the one with the usage have none."""
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def _content(message: object) -> str:
    """The text of a delta or a message; Mistral and others send it in parts."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content
    return "".join(map(_part, content)) if isinstance(content, list) else ""


def _part(part: object) -> str:
    text = part
    if isinstance(part, dict):
        text = part.get("text") if part.get("type") in TEXT_PARTS else None
    return text if isinstance(text, str) else ""


def _check_size(text: str) -> None:
    # Most events are far too short for so many.
    if len(text) > MAX_CONTAINERS and text.count("{") + text.count("[") > MAX_CONTAINERS:
        raise UpstreamBroken(
            f"The upstream sent an event of over {MAX_CONTAINERS} lists and objects."
        )


def _decoded(text: str, start: int = 0) -> tuple[str, Any, int]:
    """The JSON at `start`: as text, parsed, and where it ends. Raises NotJsonError."""
    try:
        document, end = _decode(text, start)
    except NotANumberError:
        document, end = _decode_any_number(text, start)
        return compact_json(document), document, end
    except (ValueError, RecursionError) as error:
        raise NotJsonError(NOT_JSON) from error
    return text[start:end], document, end


_decode = json.JSONDecoder(parse_constant=reject_constant).raw_decode
_decode_any_number = json.JSONDecoder(parse_constant=lambda _name: None).raw_decode


def _after_blanks(text: str, start: int) -> int:
    """Where text begins again."""
    while text[start : start + 1].isspace():
        start += 1
    return start


def compact_json(document: object) -> str:
    """The shortest JSON. A number that is too large for JSON's readers becomes null."""
    try:
        text = _dumps(document)
    except ValueError:
        text = _dumps(_finite(document))
    # Half a surrogate pair stays escaped: the next event may have the other half.
    return text.encode("utf-8", "backslashreplace").decode()


def _dumps(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
