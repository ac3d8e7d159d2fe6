"""Text in frames: joined, in order, never over the limit, never a character cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import PostTooLarge
from sluice.websocket.frames import MAX_FRAME_BYTES, MIN_FRAME_BYTES, PIECE_OVERHEAD, TextFrames


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
    queue.finish()
    assert queue.take() == "\ufffd".encode()


@pytest.mark.parametrize("end_mark", ["", "<END>"])
def test_end_of_an_answer_is_its_mark(end_mark: str) -> None:
    queue = TextFrames(end_mark)
    queue.add("a")
    queue.finish()
    assert drain(queue) == [b"a", *([end_mark.encode()] if end_mark else [])]


def test_cancelled_answer_drops_what_waits() -> None:
    queue = TextFrames("<END>")
    queue.add("a")
    queue.add_message("b")
    queue.finish(is_cancelled=True)
    assert drain(queue) == [b"<END>"]


def test_frame_that_was_too_large_comes_again_in_halves_before_what_came_meanwhile() -> None:
    queue = TextFrames()
    queue.add("é" * 1500)
    queue.add("a" * 1000)
    whole = queue.take()
    queue.add("b")
    queue.take_back()
    frames = drain(queue)
    assert b"".join(frames) == (whole or b"") + b"b"
    assert [len(frame) for frame in frames] == [2000, 2000, 1]


def test_message_that_was_too_large_comes_again_in_halves() -> None:
    queue = TextFrames()
    queue.add_message("é" * 2001)
    queue.add_message("<END>")
    queue.take()
    queue.take_back()
    assert [len(frame) for frame in drain(queue)] == [2000, 2000, 2, 5]


def test_small_frame_that_is_refused_as_large_is_given_up() -> None:
    queue = TextFrames()
    queue.add("x" * (2 * MIN_FRAME_BYTES - 1))
    queue.take()
    with pytest.raises(PostTooLarge, match=f"{2 * MIN_FRAME_BYTES - 1} bytes"):
        queue.take_back()


def test_pieces_that_shared_a_frame_are_counted() -> None:
    queue = TextFrames()
    for text in ("a", "b", "c"):
        queue.add(text)
    queue.take()
    queue.add("d")
    queue.take()
    assert queue.joined == 2


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "take", "take_back"]), st.text(st.characters(codec="utf-8")))
)


@given(STEPS, st.text(st.characters(codec="utf-8"), min_size=50))
def test_frames_joined_are_the_texts_whatever_was_too_large(
    steps: list[tuple[str, str]], long: str
) -> None:
    queue, frames, added = TextFrames("<END>"), list[bytes](), list[str]()
    for step, text in [("add", long * 200), *steps]:
        if step == "add":
            added.append(text)
            queue.add(text)
        elif (frame := queue.take()) is not None:
            if step == "take_back" and len(frame) >= 2 * MIN_FRAME_BYTES:
                queue.take_back()
            else:
                frames.append(frame)
    queue.finish()
    frames += drain(queue)
    assert all(frame.decode() for frame in frames)
    assert (b"".join(frames[:-1]).decode(), frames[-1]) == ("".join(added), b"<END>")
