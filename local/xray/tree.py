"""A trace as text: one line for each part, with its begin and its length (no I/O)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from local.xray.documents import Document


@dataclass(frozen=True, slots=True)
class EndedInvocation:
    """What Lambda itself sends to X-Ray: the segment above the documents of a function."""

    function: str
    trace_id: str
    segment_id: str
    began: float
    ended: float


def trace_tree(invocation: EndedInvocation, documents: Sequence[Document]) -> str:
    """Return the tree of an invocation. The columns: ms since its begin, and how many it took."""
    parts = list(below(invocation.segment_id, documents))
    width = max((len(label) for label, _ in parts), default=0)
    lines = [f"Trace {invocation.trace_id}"]
    lines.append(_line(invocation, invocation.began, invocation.ended, invocation.function))
    for label, document in parts:
        facts = "  ".join([*map(str.upper, document.flags), *_facts(document)])
        text = f"{label.ljust(width)}  {facts}".rstrip()
        lines.append(_line(invocation, document.began, document.ended, text))
    return "\n".join(lines)


def below(
    parent_id: str, documents: Sequence[Document], lead: str = ""
) -> Iterator[tuple[str, Document]]:
    """Yield the documents below a parent, each with its branch of the tree and its name."""
    found = sorted((each for each in documents if each.parent_id == parent_id), key=_begin)
    others = [each for each in documents if each.parent_id != parent_id]
    for document in found:
        is_last = document is found[-1]
        yield f"{lead}{'└─' if is_last else '├─'} {_shown(document.name)}", document
        yield from below(document.id, others, f"{lead}{'   ' if is_last else '│  '}")


def _begin(document: Document) -> float:
    return document.began


def _line(invocation: EndedInvocation, began: float, ended: float, text: str) -> str:
    since_ms, length_ms = (began - invocation.began) * 1000, (ended - began) * 1000
    return f"{since_ms:10.1f}{length_ms:10.1f}  {text}"


def _facts(document: Document) -> Iterator[str]:
    for name, value in document.facts.items():
        shown = f"{value:.1f}" if isinstance(value, float) else _shown(value)
        yield f"{_shown(name)}={shown}"


def _shown(value: object) -> str:
    """Return a value as it is where that is safe to print, otherwise as JSON."""
    is_plain = isinstance(value, str) and value.isprintable() and value and " " not in value
    return str(value) if is_plain else json.dumps(value)
