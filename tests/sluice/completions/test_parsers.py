"""Values and texts of an answer, at every cut of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.completions.parsers import (
    MAX_VALUE_CHARACTERS,
    IntegerSearch,
    TextSearch,
    first_value,
    whole_text,
    with_ascii_quotes,
)
from sluice.completions.request import ResponseType
from sluice.errors import NoMatch, UpstreamBroken

if TYPE_CHECKING:
    from collections.abc import Iterator

INTEGERS = [
    ("[[42]]", "42"),
    ("It is [[-7]].", "-7"),
    ("[[+1]] [[2]]", "+1"),
    ("[[a]] [[5]]", "5"),
    ("[[a [[5]]", "5"),
    ("[[[8]]]", "8"),
    ("[[5]x]] [[6]]", "6"),
    ("[[1 2]] [[3]]", "3"),
    ("[[٣]]", None),
    ("[5]", None),
    ("[[5", None),
    ("[[]]", None),
    ("[[--5]]", None),
    ("", None),
]
TEXTS = [
    ("[[yes]]", "yes"),
    ("So: [[ two words ]] and [[more]]", "two words"),
    ("[[a-b, c!]]", "a-b, c!"),
    ("[[]] [[  ]] [[x]]", "x"),
    ("[[a [[b]]", "a [[b"),
    ("[[a]b]]", "a]b"),
    ("[[line\nline]]", "line\nline"),
    ("[[日本]]", "日本"),
    ("[[[x]]", "[x"),
    ("[[never closed", None),
    ("]] [[", None),
    ("", None),
]


@pytest.mark.parametrize(
    ("search", "text", "value"),
    [
        *((IntegerSearch, text, value) for text, value in INTEGERS),
        *((TextSearch, text, value) for text, value in TEXTS),
    ],
)
def test_value_is_found_however_the_answer_is_cut(
    search: type[IntegerSearch | TextSearch], text: str, value: str | None
) -> None:
    for cut in range(len(text) + 1):
        halves = search()
        assert (halves.feed(text[:cut]) or halves.feed(text[cut:])) == value
    assert next(filter(None, map(search().feed, text)), None) == value


@given(st.text("[]1a ", max_size=40), st.integers(1, 5))
def test_search_by_pieces_finds_what_search_at_once_finds(text: str, size: int) -> None:
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    for kind in (IntegerSearch, TextSearch):
        by_pieces = kind()
        found = next(filter(None, map(by_pieces.feed, pieces)), None)
        assert found == kind().feed(text)


def test_integer_search_keeps_no_more_than_a_number_may_need() -> None:
    search = IntegerSearch()
    for _ in range(1000):
        assert search.feed("[[no number, [ at all ") is None
    assert len(search._text) < 10  # noqa: SLF001 -- that it forgets is the point


def test_unclosed_text_is_limited() -> None:
    search = TextSearch()
    search.feed("[[")
    with pytest.raises(NoMatch):
        search.feed("x" * MAX_VALUE_CHARACTERS)


def test_value_is_known_before_the_answer_ends() -> None:
    read: list[str] = []

    def deltas() -> Iterator[str]:
        for text in ("It is [[4", "2]", "]", " because…"):
            read.append(text)
            yield text

    assert first_value(ResponseType.INT, deltas()) == "42"
    assert read == ["It is [[4", "2]", "]"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<think>[[1]]</think>[[2]]", "2"),
        ("\n <think>\nno </thin k> [[1]]\n</think>\n\n[[2]]", "2"),
        ("<think></think>[[2]]", "2"),
        ("<think>[[1]]", None),
        ("<thinking>[[1]]", "1"),
        ("So: <think>[[1]]</think>[[2]]", "1"),
        ("<think", None),
        ("[[2]]<think>", "2"),
    ],
)
def test_value_is_not_taken_from_thinking(text: str, value: str | None) -> None:
    for cut in range(len(text) + 1):
        for pieces in ((text[:cut], text[cut:]), text):
            if value is None:
                with pytest.raises(NoMatch):
                    first_value(ResponseType.STRING, pieces)
            else:
                assert first_value(ResponseType.STRING, pieces) == value


def test_no_match_quotes_200_characters() -> None:
    with pytest.raises(NoMatch) as caught:
        first_value(ResponseType.STRING, iter(["No. "] * 100))
    assert caught.value.message.count("No. ") == 50
    assert caught.value.code == "no_match"


def test_whole_text_is_limited() -> None:
    assert whole_text(iter(["a", "b"])) == "ab"
    with pytest.raises(UpstreamBroken, match="response_type stream"):
        whole_text("x" * 1_000_000 for _ in range(10))


def test_curly_quotation_marks_become_straight_ones_and_nothing_else_changes() -> None:
    single, double = "\u2018\u2019\u201a\u201b", "\u201c\u201d\u201e\u201f"
    assert list(with_ascii_quotes([single, double, "", "a"])) == ["'" * 4, '"' * 4, "", "a"]
    others = "".join(map(chr, range(0x110000))).translate(dict.fromkeys(range(0x2018, 0x2020)))
    assert list(with_ascii_quotes([others])) == [others]
