"""What every queue of frames does: bytes of texts, cuts between characters, what is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.websocket.frames import TextFrames, frame_end, utf8


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("", ""),
        ("a\u20ac\U0001f600", "a\u20ac\U0001f600"),
        ("\ud83d\ude00", "\U0001f600"),
        ("a\ud83db", "a\ufffdb"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
    ],
    ids=["nothing", "characters", "pair", "first half", "halves the wrong way", "half and pair"],
)
def test_surrogates_become_characters_or_are_replaced(text: str, encoded: str) -> None:
    assert utf8(text) == encoded.encode()


@pytest.mark.parametrize(
    ("text", "max_bytes", "end"),
    [
        ("abc", 3, 3),
        ("abcd", 3, 3),
        ("a\u20ac", 3, 1),
        ("a\u20ac", 4, 4),
        ("\U0001f600\U0001f600", 7, 4),
        ("\u00e9\u00e9", 3, 2),
    ],
)
def test_frame_ends_between_characters(text: str, max_bytes: int, end: int) -> None:
    assert frame_end(text.encode(), max_bytes) == end


@given(st.text(st.characters(codec="utf-8")), st.integers(4, 40))
def test_frame_is_as_full_as_characters_let_it_be(text: str, max_bytes: int) -> None:
    data = text.encode()
    end = frame_end(data, max_bytes)
    data[:end].decode()
    data[end:].decode()
    assert end <= max_bytes
    assert end == len(data) or end > max_bytes - 4


def test_last_message_alone_is_kept() -> None:
    queue = TextFrames()
    queue.add("a")
    queue.add_message("b")
    queue.add_message("error")
    queue.keep_last_message()
    assert (queue.waiting, queue.take(), queue.take()) == (5, b"error", None)


def test_nothing_is_kept_where_there_is_no_message() -> None:
    queue = TextFrames()
    queue.add("a")
    queue.keep_last_message()
    assert (queue.waiting, queue.take()) == (0, None)
