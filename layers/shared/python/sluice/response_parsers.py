"""What a client gets of a model's answer: its text piece by piece, whole, or a value in it.

Values are written by the model as [[42]] or [[some text]], as its system prompt asks. They are
looked for while the answer comes, without going back over what was searched, so that the upstream
can be closed as soon as they are known.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sluice.errors import NoMatch, UpstreamBroken, UpstreamRefused
from sluice.model_request import ResponseType
from sluice.sse import event_data
from sluice.upstream_reply import is_event_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

END_OF_STREAM = "[DONE]"
INTEGER = re.compile(r"[+-]?[0-9]{1,1000}")  # longer numbers are no number a model was asked for
BEGUN_INTEGER = re.compile(r"[+-]?[0-9]{0,1000}\]?")
MAX_ANSWER_CHARACTERS = 4 * 1024 * 1024
"""What `full` may hold: far above any model's longest answer (some 128,000 tokens), far below the
function's memory."""
MAX_COMPLETION_BYTES = 32 * 1024 * 1024  # the same as JSON, which may escape every character
MAX_VALUE_CHARACTERS = 128 * 1024  # what [[text]] may hold: as many as fit a frame
EXCERPT_CHARACTERS = 200


def text_deltas(headers: Mapping[str, str], chunks: Iterable[bytes]) -> Iterator[str]:
    """The pieces of the answer's text, none of them empty.

    headers: the upstream's, names in lower case. An upstream that does not stream gives one piece.
    Raises UpstreamBroken where the answer is cut short or is none, UpstreamRefused where an error
    comes in the middle of the stream.
    """
    if not is_event_stream(headers):
        yield from _text_of_completion(_whole_body(chunks))
        return
    finished = False
    for data in event_data(chunks):
        if data.strip() == END_OF_STREAM:
            return
        choice = _first_choice(_parse_chunk(data))
        finished = finished or bool(choice.get("finish_reason"))
        if text := _text(choice.get("delta")):
            yield text
    if not finished:
        raise UpstreamBroken("The upstream's stream ended before the answer did.")


def whole_text(deltas: Iterable[str]) -> str:
    """The answer in one piece."""
    pieces: list[str] = []
    size = 0
    for delta in deltas:
        size += len(delta)
        if size > MAX_ANSWER_CHARACTERS:
            raise UpstreamBroken(
                f"The answer has over {MAX_ANSWER_CHARACTERS} characters: ask for it as a stream."
            )
        pieces.append(delta)
    return "".join(pieces)


def first_value(kind: ResponseType, deltas: Iterable[str]) -> str:
    """The first [[integer]] or [[text]], without reading on behind it. Raises NoMatch."""
    search = IntegerSearch() if kind is ResponseType.INT else TextSearch()
    excerpt = ""
    for delta in deltas:
        excerpt += delta[: EXCERPT_CHARACTERS - len(excerpt)]
        value = search.feed(delta)
        if value is not None:
            return value
    form = "[[integer]]" if kind is ResponseType.INT else "[[text]]"
    raise NoMatch(f"The answer holds no {form}. It begins: {excerpt}")


class IntegerSearch:
    """Finds the first [[digits]], with or without a sign."""

    def __init__(self) -> None:
        self._text = ""

    def feed(self, delta: str) -> str | None:
        self._text += delta
        position = 0
        while (close := self._text.find("]]", position)) >= 0:
            opening = self._text.rfind("[[", position, close)
            if opening >= 0 and INTEGER.fullmatch(self._text, opening + 2, close):
                return self._text[opening + 2 : close]
            position = close + 1
        # Only the last [[ can still become a value, and only while digits follow it.
        opening = self._text.rfind("[[", position)
        may_become_one = opening >= 0 and BEGUN_INTEGER.fullmatch(self._text, opening + 2)
        self._text = self._text[opening:] if may_become_one else self._text[-1:]
        return None


class TextSearch:
    """Finds the first [[text]] that is not blank; the text is anything but ]]."""

    def __init__(self) -> None:
        self._text = ""
        self._searched = 0  # no ]] begins before here

    def feed(self, delta: str) -> str | None:
        self._text += delta
        while (opening := self._text.find("[[")) >= 0:
            close = self._text.find("]]", max(opening + 2, self._searched))
            if close < 0:
                self._searched = max(0, len(self._text) - opening - 1)
                self._text = self._text[opening:]
                if len(self._text) > MAX_VALUE_CHARACTERS:
                    raise NoMatch(
                        f"The answer holds [[ without ]] in {MAX_VALUE_CHARACTERS} characters."
                    )
                return None
            value = self._text[opening + 2 : close].strip()
            if value:
                return value
            self._text = self._text[close + 2 :]
            self._searched = 0
        self._text = self._text[-1:]
        return None


def _parse_chunk(data: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("The upstream sent an event that is not JSON.") from error
    if not isinstance(document, dict):
        raise UpstreamBroken("The upstream sent an event that is no object.")
    if document.get("error"):
        raise _reported(document["error"])
    return document


def _reported(error: object) -> UpstreamRefused:
    """An error in the middle of a stream; the status of its reply was 200, so it has none."""
    reported = error if isinstance(error, dict) else {"message": str(error)}
    return UpstreamRefused(502, {}, json.dumps({"error": reported}).encode(), reported)


def _first_choice(document: dict[str, Any]) -> dict[str, Any]:
    """The first choice; Azure's first event and the one with the usage have none."""
    choices = document.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def _text(message: object) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


def _whole_body(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_COMPLETION_BYTES:
            raise UpstreamBroken(f"The upstream sent over {MAX_COMPLETION_BYTES} bytes at once.")
    return bytes(body)


def _text_of_completion(body: bytes) -> Iterator[str]:
    choice = _first_choice(_parse_chunk(body.decode("utf-8", "replace")))
    if not choice:
        raise UpstreamBroken("The upstream's answer holds no choices.")
    if text := _text(choice.get("message")):
        yield text
