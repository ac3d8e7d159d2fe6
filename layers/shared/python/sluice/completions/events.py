"""A chat completion as events, streamed or whole. No I/O.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json

from sluice.completions.event_stream import is_event_stream
from sluice.completions.sse import event_data
from sluice.errors import UpstreamBroken, UpstreamRefused
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from typing import Any

END_OF_STREAM = "[DONE]"
MAX_COMPLETION_BYTES = 32 * 1024 * 1024
"""Maximum size of an answer in one piece, in bytes: room for `full`'s limit with escapes."""


class CompletionEvent(NamedTuple):
    """One event of a chat completion, or a whole completion, with a message instead of a delta."""

    data: str
    """JSON, as the upstream sent it."""
    document: dict[str, Any]
    """The parsed data."""
    text: str
    """What it adds to the answer's text; may be empty."""


def completion_events(
    headers: Mapping[str, str], chunks: Iterable[bytes]
) -> Generator[CompletionEvent, None, None]:
    """The events of an answer, without the end mark. An answer that is not streamed is one event.

    headers: the upstream's, names in lower case. Raises UpstreamBroken if the answer is cut short
    or invalid, UpstreamRefused if the stream reports an error.
    """
    if not is_event_stream(headers):
        yield _whole_completion(chunks)
        return
    is_finished = False
    for data in event_data(chunks):
        if data.strip() == END_OF_STREAM:
            return
        document = _parse(data)
        choice = _first_choice(document)
        is_finished = is_finished or bool(choice.get("finish_reason"))
        yield CompletionEvent(data, document, _content(choice.get("delta")))
    if not is_finished:
        raise UpstreamBroken("The upstream's stream ended before its answer.")


def _whole_completion(chunks: Iterable[bytes]) -> CompletionEvent:
    data = _whole_body(chunks).decode("utf-8", "replace")
    document = _parse(data)
    choice = _first_choice(document)
    if not choice:
        raise UpstreamBroken("The upstream's answer has no choices.")
    return CompletionEvent(data, document, _content(choice.get("message")))


def _whole_body(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_COMPLETION_BYTES:
            raise UpstreamBroken(f"The upstream's answer has over {MAX_COMPLETION_BYTES} bytes.")
    return bytes(body)


def _parse(data: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken(
            "The upstream sent an event that is not JSON. Check that OPENAI_BASE_URL is an "
            "OpenAI-compatible API."
        ) from error
    if not isinstance(document, dict):
        raise UpstreamBroken("The upstream sent an event that is not a JSON object.")
    if document.get("error"):
        raise _reported(document["error"])
    return document


def _reported(error: object) -> UpstreamRefused:
    """An error in a stream. The status of its reply was 200, so it gets one here."""
    reported = error if isinstance(error, dict) else {"message": str(error)}
    body = json.dumps({"error": reported}).encode()
    message = "The upstream reported an error within its answer."
    return UpstreamRefused(502, {}, body, reported, message)


def _first_choice(document: dict[str, Any]) -> dict[str, Any]:
    """The first choice. Azure's first event and the one with the usage have none."""
    choices = document.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def _content(message: object) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""
