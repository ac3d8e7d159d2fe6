"""What is written of an answer, in every division of it."""

from __future__ import annotations

import io
import json
from collections.abc import Generator

import pytest

from scripts.access.errors import ToolError
from scripts.chat.answers import Piece, Question, piece_of
from scripts.chat.screen import Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def pieces(*texts: str, **end: object) -> Generator[Piece, None, None]:
    yield from map(Piece, texts)
    yield Piece(**end)  # type: ignore[arg-type]  # a table's


def shown(out: io.StringIO, answer: Generator[Piece, None, None]) -> str:
    ticks = iter(range(100))
    Screen(out, {"NO_COLOR": "1"}, lambda: float(next(ticks))).show(answer)
    return out.getvalue()


def test_halves_of_a_character_are_joined_or_replaced() -> None:
    # As JSON's escapes bring them.
    text: str = json.loads('"a \\ud83d\\ude00 b"')
    halves: list[str] = json.loads('["a \\ud83d", "\\ude00 b"]')
    for texts in (halves, [text], list(json.loads('["a ", "\\ud83d", "\\ude00", " b"]'))):
        assert shown(io.StringIO(), pieces(*texts)) == "a \N{GRINNING FACE} b\n"
    lone = ("a\ud83d", "b\ude00", "c\ud83d")
    assert shown(io.StringIO(), pieces(*lone)) == "a\ufffdb\ufffdc\ufffd\n"


def test_answer_ends_its_line_once() -> None:
    for texts, expected in ((("a",), "a\n"), (("a\n",), "a\n"), (("a", "\n", ""), "a\n"), ((), "")):
        assert shown(io.StringIO(), pieces(*texts)) == expected


@pytest.mark.parametrize(
    ("texts", "end", "line"),
    [
        (("a", "b"), {"tokens": 2, "finish": "stop"}, "1.00 s to the first token, 2 tokens in"),
        (("a",), {}, "1.00 s to the first token, in"),
        ((), {"finish": "length"}, "no text, in 1.00 s, ended by length"),
        (("a",), {"finish": "\x1b[2J"}, "ended by \ufffd[2J"),
    ],
)
def test_terminal_gets_a_line_about_the_time(
    texts: tuple[str, ...], end: dict[str, object], line: str
) -> None:
    assert line in shown(Terminal(), pieces(*texts, **end))


def test_events_of_any_shape_are_read() -> None:
    for event, piece in (
        ({"choices": [{"delta": {"content": "a"}}]}, Piece("a")),
        ({"choices": [{"delta": {"content": None, "refusal": "no"}}]}, Piece("no")),
        ({"choices": [{"delta": None, "finish_reason": "stop"}]}, Piece(finish="stop")),
        ({"choices": None, "usage": {"completion_tokens": 3}}, Piece(tokens=3)),
        ({"choices": [7], "usage": {"completion_tokens": "3"}}, Piece()),
        ([], Piece()),
        (None, Piece()),
    ):
        assert piece_of(event) == piece
    with pytest.raises(ToolError, match="out of luck"):
        piece_of({"object": "error", "message": "out of\n luck"})


def test_question_grows_and_stays_what_it_was() -> None:
    first = Question(model="m").followed_by("user", "a")
    second = first.followed_by("assistant", "b")
    assert (len(first.messages), len(second.messages)) == (1, 2)
    assert second.chat()["model"] == "m"
