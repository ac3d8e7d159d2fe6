"""A model's answer in one piece: all of its text, or the value in it that was asked for."""

from __future__ import annotations

from sluice.completions.events import completion_events
from sluice.completions.parsers import first_value, text_deltas, whole_text, with_ascii_quotes
from sluice.completions.request import ResponseType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.upstream.answer import UpstreamAnswer


def answer_text(
    response_type: ResponseType, answer: UpstreamAnswer, *, ascii_quotes: bool = False
) -> str:
    """Read the answer for a response type but `stream`; no further than its value is.

    Raises NoMatch, UpstreamRefused, and as UpstreamAnswer.chunks.
    """
    deltas = text_deltas(completion_events(answer.headers, answer.chunks()))
    if ascii_quotes:
        deltas = with_ascii_quotes(deltas)
    if response_type is not ResponseType.FULL:
        return first_value(response_type, deltas)
    text = whole_text(deltas)
    answer.finish()
    return text
