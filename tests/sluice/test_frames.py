"""Frames: joined, in order, never over the limit, never a character cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.frames import MAX_FRAME_BYTES, PIECE_OVERHEAD
from sluice.text_frames import TextFrames


def drain(queue: TextFrames) -> list[bytes]:
    return list(iter(queue.take, None))


def test_text_that_waits_is_joined_into_one_frame() -> None:
    queue = TextFrames()
    for text in ("a", "b", "c"):
        queue.add(text)
    assert drain(queue) == [b"abc"]


def test_message_shares_no_frame_and_follows_every_piece() -> None:
    queue = TextFrames()
    queue.add("a")
    queue.add_message("<END>")
    queue.add("b")
    assert drain(queue) == [b"ab", b"<END>"]


def test_large_text_is_split_between_characters() -> None:
    queue = TextFrames()
    text = "a" + "€" * MAX_FRAME_BYTES
    queue.add(text)
    frames = drain(queue)
    assert all(len(frame) <= MAX_FRAME_BYTES for frame in frames)
    assert all(len(frame) > MAX_FRAME_BYTES - 4 for frame in frames[:-1])
    assert "".join(frame.decode() for frame in frames) == text


def test_halves_of_a_character_from_two_deltas_become_one() -> None:
    queue = TextFrames()
    queue.add("a\ud83d")
    assert queue.take() == b"a"
    assert queue.take() is None
    queue.add("\ude00b")
    assert queue.take() == "😀b".encode()


def test_half_a_character_without_its_other_half_is_replaced_at_the_end() -> None:
    queue = TextFrames()
    queue.add("\ud83d")
    queue.add_message("<END>")
    assert drain(queue) == ["�".encode(), b"<END>"]


def test_empty_text_makes_no_frame() -> None:
    queue = TextFrames()
    queue.add("")
    queue.add_message("")
    assert drain(queue) == []


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.booleans())))
def test_frames_joined_are_the_texts_joined(steps: list[tuple[str, bool]]) -> None:
    queue, taken = TextFrames(), list[bytes]()
    for text, take in steps:
        queue.add(text)
        if take and (frame := queue.take()):
            taken.append(frame)
    taken += drain(queue)
    assert b"".join(taken).decode() == "".join(text for text, _ in steps)
    assert queue.waiting == 0


def test_what_waits_is_counted_with_what_each_piece_takes_beside_its_characters() -> None:
    queue = TextFrames()
    queue.add("éé")
    queue.add("é")
    assert queue.waiting == 3 + 2 * PIECE_OVERHEAD
    queue.add_message("€")
    assert queue.waiting == 3 + 2 * PIECE_OVERHEAD + 3
    queue.take()
    assert queue.waiting == 3
    queue.clear()
    assert (queue.waiting, queue.take()) == (0, None)


def test_half_a_character_at_the_very_end_is_not_lost() -> None:
    queue = TextFrames()
    queue.add("a\ud83d")
    assert queue.take() == b"a"
    assert queue.take(is_last=True) == "\ufffd".encode()
