"""Frames: joined, in order, never over the limit, no character cut, no event lost or repeated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.error_body import MAX_ID_CHARACTERS
from sluice.errors import PostTooLarge
from sluice.websocket.frames import (
    MAX_CHAT_EVENT_BYTES,
    MAX_FRAME_BYTES,
    MIN_FRAME_BYTES,
    PIECE_OVERHEAD,
    ChatFrames,
    TextFrames,
    frame_end,
)

if TYPE_CHECKING:
    from sluice.websocket.frames import FrameQueue

QueueT = TypeVar("QueueT", bound="FrameQueue")
ANY_TEXT = st.text(st.characters(codec="utf-8"))


def drain(queue: FrameQueue) -> list[bytes]:
    return list(iter(queue.take, None))


def documents(queue: FrameQueue) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in drain(queue)]


def texts(*pieces: str, end_mark: str = "") -> TextFrames:
    return filled(TextFrames(end_mark), *pieces)


def chat(*events: str) -> ChatFrames:
    return filled(ChatFrames("7"), *events)


def filled(queue: QueueT, *pieces: str) -> QueueT:
    for piece in pieces:
        queue.add(piece)
    return queue


def event_of(size: int, mark: str = "x") -> str:
    """An event's JSON of this many bytes."""
    return '"' + mark * (size - 2) + '"'


@given(ANY_TEXT, st.integers(4, 40))
def test_frame_is_as_full_as_whole_characters_allow(text: str, max_bytes: int) -> None:
    data = text.encode()
    end = frame_end(data, max_bytes)
    data[:end].decode()
    data[end:].decode()
    assert end <= max_bytes
    assert end == len(data) or end > max_bytes - 4


def test_pieces_that_wait_share_a_frame() -> None:
    assert drain(texts("a", "b", "", "c")) == [b"abc"]
    assert drain(filled(ChatFrames(None), "1")) == [b'{"seq":0,"events":[1]}']
    as_the_provider_spells_it = '{ "n": 1.10, "t": "\\u0041" }'
    (frame,) = drain(chat(as_the_provider_spells_it, "2"))
    assert frame.decode() == f'{{"id":"7","seq":0,"events":[{as_the_provider_spells_it},2]}}'


def test_frames_are_numbered_without_a_gap_and_joined_pieces_counted() -> None:
    queue, frames = chat("0"), list[dict[str, Any]]()
    for number in (1, 3, 5):
        frames += documents(queue)
        filled(queue, str(number), str(number + 1))
    queue.finish()
    frames += documents(queue)
    assert [frame["seq"] for frame in frames] == [0, 1, 2, 3]
    assert [frame["events"] for frame in frames] == [[0], [1, 2], [3, 4], [5, 6]]
    assert queue.joined == 3


def test_message_shares_no_frame_and_follows_every_piece() -> None:
    queue = texts("a")
    queue.add_message("<END>")
    queue.add("b")
    assert drain(queue) == [b"ab", b"<END>"]
    events = chat("1", "2")
    events.add_message('{"error":{}}')
    assert documents(events) == [{"id": "7", "seq": 0, "events": [1, 2]}, {"error": {}}]


def test_empty_message_is_a_frame_and_an_end_mark_that_is_none_is_not() -> None:
    queue = texts()
    queue.finish()
    assert (queue.waiting, queue.take()) == (0, None)
    queue.add_message("")
    assert queue.waiting > 0
    assert drain(queue) == [b""]


def test_last_message_alone_is_kept() -> None:
    queue = texts("a")
    queue.add_message("b")
    queue.add_message("error")
    queue.keep_last_message()
    assert (queue.waiting, drain(queue)) == (5 + PIECE_OVERHEAD, [b"error"])
    queue.add("a")
    queue.keep_last_message()
    assert (queue.waiting, drain(queue)) == (0, [])


def test_what_waits_is_counted_with_the_overhead_of_each_piece() -> None:
    queue = texts("éé", "é")
    assert queue.waiting == 3 + 2 * PIECE_OVERHEAD
    queue.add_message("€")
    assert queue.waiting == 3 + 2 * PIECE_OVERHEAD + 3 + PIECE_OVERHEAD
    queue.take()
    assert queue.waiting == 3 + PIECE_OVERHEAD
    queue.clear()
    assert (queue.waiting, queue.take()) == (0, None)


def test_halves_of_a_character_from_two_deltas_become_one() -> None:
    queue = texts("a\ud83d")
    assert drain(queue) == [b"a"]
    queue.add("\ude00b")
    assert drain(queue) == ["😀b".encode()]


def test_half_a_character_without_its_other_half_is_replaced_at_the_end() -> None:
    queue = texts("a\ud83d", end_mark="<END>")
    assert drain(queue) == [b"a"]
    queue.finish()
    assert drain(queue) == ["\ufffd".encode(), b"<END>"]


def test_large_text_is_split_between_characters() -> None:
    text = "a" + "€" * MAX_FRAME_BYTES
    frames = drain(texts(text))
    assert all(MAX_FRAME_BYTES - 4 < len(frame) <= MAX_FRAME_BYTES for frame in frames[:-1])
    assert "".join(frame.decode() for frame in frames) == text


def test_end_shares_a_frame_with_the_last_event_if_one_waits() -> None:
    queue = chat("1")
    queue.finish()
    assert documents(queue) == [{"id": "7", "seq": 0, "events": [1], "done": True}]
    queue = chat("1")
    queue.take()
    queue.finish()
    assert queue.waiting > 0
    assert documents(queue) == [{"id": "7", "seq": 1, "events": [], "done": True}]
    assert queue.waiting == 0


def test_frame_may_have_every_byte_of_the_limit() -> None:
    envelope = len(b'{"id":"7","seq":0,"events":[,]}')
    tail = len(b',"done":true,"cancelled":true')  # reserved in every frame
    rest = event_of(MAX_FRAME_BYTES - envelope - tail - 1000)
    for size, events in ((1000, [2]), (1001, [1, 1])):
        frames = documents(chat(event_of(size), rest))
        assert [len(frame["events"]) for frame in frames] == events


@pytest.mark.parametrize("character", ["é", "\n", "😀", "\ud83d"])
def test_largest_event_fits_next_to_the_largest_id(character: str) -> None:
    request_id = character * MAX_ID_CHARACTERS
    queue = filled(ChatFrames(request_id), event_of(MAX_CHAT_EVENT_BYTES))
    queue.finish()
    (frame,) = drain(queue)
    assert len(frame) <= MAX_FRAME_BYTES
    assert (json.loads(frame)["id"], json.loads(frame)["done"]) == (request_id, True)


@pytest.mark.parametrize("was_finished", [False, True])
def test_cancelled_answer_drops_what_waits(*, was_finished: bool) -> None:
    text, events = texts("a", end_mark="<END>"), chat("1")
    text.add_message("b")
    events.take()
    events.add("2")
    if was_finished:
        events.finish()
    for queue in (text, events):
        queue.finish(is_cancelled=True)
    assert drain(text) == [b"<END>"]
    ended = {"id": "7", "seq": 1, "events": [], "done": True, "cancelled": True}
    assert documents(events) == [ended]


def test_cancellation_after_the_last_frame_adds_nothing() -> None:
    queue = chat("1")
    queue.finish()
    assert [frame["done"] for frame in documents(queue)] == [True]
    queue.finish(is_cancelled=True)
    assert (queue.waiting, queue.take()) == (0, None)


def test_message_instead_of_what_waits_leaves_no_end() -> None:
    queue = chat("1")
    queue.finish()
    queue.clear()
    queue.add_message('{"error":{}}')
    assert documents(queue) == [{"error": {}}]


def test_message_that_was_too_large_comes_again_in_halves() -> None:
    queue = texts()
    queue.add_message("é" * 2001)
    queue.add_message("<END>")
    queue.take()
    queue.take_back()
    assert [len(frame) for frame in drain(queue)] == [2000, 2000, 2, 5]


def test_events_that_were_too_large_come_again_in_several_frames_before_later_events() -> None:
    events = [event_of(1000, mark) for mark in "abcd"]
    queue = chat(*events)
    queue.take()
    events.append('"e"')
    queue.add(events[-1])
    queue.finish()
    queue.take_back()
    frames = documents(queue)
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert len(frames) > 1
    assert [json.dumps(event) for frame in frames for event in frame["events"]] == events
    assert [frame.get("done") for frame in frames] == [None] * (len(frames) - 1) + [True]
    assert queue.joined == len(events) - len(frames)


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_end_that_was_too_large_with_its_events_comes_after_them(*, is_cancelled: bool) -> None:
    queue = chat(event_of(1000), event_of(1000), event_of(1000))
    if not is_cancelled:
        queue.finish()
    queue.take()
    if is_cancelled:
        queue.finish(is_cancelled=True)
    queue.take_back()
    frames = documents(queue)
    assert [frame["seq"] for frame in frames] == [0, 1, 2]
    assert frames[-1].get("cancelled", False) is is_cancelled


def test_event_that_is_too_large_alone_fails() -> None:
    queue = chat(event_of(4000))
    queue.take()
    queue.take_back()
    with pytest.raises(PostTooLarge, match="single event"):
        queue.take()


@pytest.mark.parametrize("queue", [texts("x" * (2 * MIN_FRAME_BYTES - 1)), chat(event_of(1024))])
def test_small_frame_that_is_rejected_as_large_fails(queue: FrameQueue) -> None:
    size = len(queue.take() or b"")
    with pytest.raises(PostTooLarge, match=f"{size} bytes"):
        queue.take_back()


STEPS = st.lists(st.tuples(st.sampled_from(["add", "take", "take_back"]), ANY_TEXT))


@given(STEPS, st.text(st.characters(codec="utf-8"), min_size=50))
def test_frames_joined_are_the_texts_whatever_was_too_large(
    steps: list[tuple[str, str]], long: str
) -> None:
    queue, frames, added = texts(end_mark="<END>"), list[bytes](), list[str]()
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
    assert queue.waiting == 0


SIZED_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(3, 5000)),
        st.tuples(st.sampled_from(["take", "take_back"]), st.just(0)),
    )
)


@given(SIZED_STEPS)
def test_frames_have_the_events_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    queue, frames, added, refusals = chat(), list[dict[str, Any]](), list[str](), 0
    for step, size in [*steps, ("finish", 0)]:
        if step == "add":
            added.append(event_of(size, str(len(added) % 10)))
            queue.add(added[-1])
        elif step == "finish":
            queue.finish()
        elif (frame := queue.take()) is not None:
            if step == "take_back" and refusals < 1 and len(frame) > 12_000:
                refusals += 1
                queue.take_back()
            else:
                frames.append(json.loads(frame))
    frames += documents(queue)
    assert [json.dumps(event) for frame in frames for event in frame["events"]] == added
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert [frame for frame in frames if frame.get("done")] == frames[-1:]
    assert queue.joined == len(added) - len([frame for frame in frames if frame["events"]])
    assert queue.waiting == 0
