"""Splits an event that is too large for a frame into several that add up to it. No I/O.

Clients concatenate the texts of deltas, so two deltas may share a text. Everything else must appear
once only.
"""

from __future__ import annotations

from sluice.completions.events import compact_json
from sluice.errors import UpstreamBroken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sluice.completions.events import CompletionEvent

    Path = tuple[str | int, ...]

MAX_BYTES_OF_CHARACTER = 6  # \u0000: JSON escapes control characters


def split_event(event: CompletionEvent, max_bytes: int) -> Iterator[str]:
    """The event's JSON in parts of at most `max_bytes`; one part if it fits.

    Raises UpstreamBroken if it has no long text in a delta that could be split.
    """
    size = len(event.data.encode())
    if size <= max_bytes:
        yield event.data
        return
    path, text = _longest_text(event.document)
    room = max_bytes - len(compact_json(_with_text(event.document, path, "")).encode())
    step = room // MAX_BYTES_OF_CHARACTER
    if not path or step <= 0:
        raise UpstreamBroken(
            f"The upstream sent an event of {size} bytes. A WebSocket takes {max_bytes}. Use "
            '"stream": true, or the Function URL.'
        )
    last = (len(text) - 1) // step * step
    for start in range(0, len(text), step):
        part = text[start : start + step]
        is_first, is_last = start == 0, start == last
        yield compact_json(_part(event.document, path, part, is_first=is_first, is_last=is_last))


def _part(
    document: dict[str, Any], path: Path, text: str, *, is_first: bool, is_last: bool
) -> dict[str, Any]:
    """The document with a part of the text.

    The rest of its deltas is only in the first part, the end of the answer only in the last.
    """
    part = dict(document) if is_last or "usage" not in document else {**document, "usage": None}
    part["choices"] = [
        _choice_part(choice, index, path, text, is_first=is_first, is_last=is_last)
        if isinstance(choice, dict)
        else choice
        for index, choice in enumerate(document["choices"])
    ]
    return part


def _choice_part(
    choice: dict[str, Any], index: int, path: Path, text: str, *, is_first: bool, is_last: bool
) -> dict[str, Any]:
    _, path_index, _, *inner = path
    delta: Any = choice.get("delta") if is_first else {}
    if index == path_index:
        put = _with_text if is_first else _alone
        delta = put(choice["delta"], tuple(inner), text)
    said_once = choice if is_first else _index(choice)
    finish_reason = choice.get("finish_reason") if is_last else None
    return {**said_once, "delta": delta, "finish_reason": finish_reason}


def _longest_text(document: dict[str, Any]) -> tuple[Path, str]:
    """The longest text in a delta and its path; both empty if there is none."""
    choices = document.get("choices")
    found: list[tuple[Path, str]] = [((), "")]
    for index, choice in enumerate(choices if isinstance(choices, list) else ()):
        if isinstance(choice, dict):
            found.extend(_texts(choice.get("delta"), ("choices", index, "delta")))
    return max(found, key=lambda path_and_text: len(path_and_text[1]))


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, inner in steps:
        yield from _texts(inner, (*path, step))


def _with_text(value: Any, path: Path, text: str) -> Any:
    """A copy of `value` with another text at `path`."""
    if not path:
        return text
    step, *rest = path
    copy = value.copy()
    copy[step] = _with_text(value[step], tuple(rest), text)
    return copy


def _alone(value: Any, path: Path, text: str) -> Any:
    """Only the text of `value`, with the indexes that place it."""
    if not path:
        return text
    step, *rest = path
    inner = _alone(value[step], tuple(rest), text)
    if isinstance(value, list):
        return [inner]
    # A part of a content has a type instead of an index.
    is_part = "index" not in value and value.get("type") == step
    return {**({"type": step} if is_part else _index(value)), step: inner}


def _index(value: dict[str, Any]) -> dict[str, Any]:
    return {"index": value["index"]} if "index" in value else {}
