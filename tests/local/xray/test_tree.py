"""A trace as text."""

from __future__ import annotations

from local.xray.documents import Document
from local.xray.tree import EndedInvocation, trace_tree

TRACE = "1-6748a1b2-0123456789abcdef01234567"
INVOCATION = EndedInvocation("stream", TRACE, "s", began=100.0, ended=101.5)


def part(
    name: str, began: float, ended: float, parent: str = "s", *flags: str, **facts: object
) -> Document:
    return Document(TRACE, name, parent, name, began, ended, facts, flags)


def test_parts_are_in_the_order_of_their_begin_below_their_parents() -> None:
    documents = [
        part("delivery", 100.5, 101.5, "s", outcome="ok"),
        part("upstream", 100.1, 101.2, "s", "throttle", "error", status=429, model="a b"),
        part("connection", 100.1, 100.2, "upstream", tcp_ms=0.25),
        part("tls", 100.15, 100.2, "connection"),
        part("lost", 100.0, 100.1, "of another invocation"),
    ]
    assert trace_tree(INVOCATION, documents).splitlines() == [
        f"Trace {TRACE}",
        "       0.0    1500.0  stream",
        '     100.0    1100.0  ├─ upstream       THROTTLE  ERROR  status=429  model="a b"',
        "     100.0     100.0  │  └─ connection  tcp_ms=0.2",
        "     150.0      50.0  │     └─ tls",
        "     500.0    1000.0  └─ delivery       outcome=ok",
    ]


def test_invocation_without_parts_is_one_line() -> None:
    assert trace_tree(INVOCATION, []).splitlines()[1:] == ["       0.0    1500.0  stream"]


def test_text_that_a_terminal_would_obey_is_escaped() -> None:
    shown = trace_tree(INVOCATION, [part("a\nb", 100.0, 100.1, "s", model="\x1b[2J", empty="")])
    assert r'"a\nb"  model="\u001b[2J"  empty=""' in shown


def test_documents_that_name_each_other_as_parents_end() -> None:
    circle = [part("a", 100.0, 100.1, "b"), part("b", 100.0, 100.1, "a")]
    assert len(trace_tree(INVOCATION, circle).splitlines()) == 2
    own = part("s", 100.0, 100.1, "s")
    assert len(trace_tree(INVOCATION, [own]).splitlines()) == 3
