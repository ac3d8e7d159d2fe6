"""Numbered frames of events: none lost, none twice, none too large, and one that is the last."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.error_body import MAX_ID_CHARACTERS
from sluice.errors import PostTooLarge
from sluice.websocket.frames import (
    MAX_CHAT_EVENT_BYTES,
    MAX_FRAME_BYTES,
    MIN_FRAME_BYTES,
    ChatFrames,
)


def drain(queue: ChatFrames) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in iter(queue.take, None)]


def taken(queue: ChatFrames) -> dict[str, Any]:
    frame = queue.take()
    assert frame is not None
    document: dict[str, Any] = json.loads(frame)
    return document


def event_of(size: int, mark: str = "x") -> str:
    """An event's JSON of so many bytes."""
    return '"' + mark * (size - 2) + '"'


def queue_with(*events: str) -> ChatFrames:
    queue = ChatFrames("7")
    for event in events:
        queue.add(event)
    return queue


def test_first_event_makes_a_frame_at_once() -> None:
    queue = queue_with('{"a":1}')
    assert queue.take() == b'{"id":"7","seq":0,"events":[{"a":1}]}'
    assert queue.take() is None


def test_frames_are_numbered_without_a_gap() -> None:
    queue = ChatFrames("7")
    frames = []
    for number in range(3):
        queue.add(str(number))
        frames += drain(queue)
        assert queue.take() is None
    queue.finish()
    frames += drain(queue)
    assert [frame["seq"] for frame in frames] == [0, 1, 2, 3]


def test_events_that_wait_share_a_frame() -> None:
    queue = queue_with("0")
    assert taken(queue)["events"] == [0]
    for number in (1, 2, 3):
        queue.add(str(number))
    assert taken(queue)["events"] == [1, 2, 3]
    assert queue.joined == 2


def test_event_is_passed_as_it_was_sent() -> None:
    queue = queue_with('{ "n": 1.10, "t": "é\\u0041" }')
    assert b'[{ "n": 1.10, "t": "\xc3\xa9\\u0041" }]' in (queue.take() or b"")


def test_request_without_an_id_has_frames_without_one() -> None:
    queue = ChatFrames(None)
    queue.add("1")
    assert queue.take() == b'{"seq":0,"events":[1]}'


def test_id_is_any_text() -> None:
    text = '"é😀\ud83d\n\\'
    queue = ChatFrames(text)
    queue.finish()
    assert taken(queue)["id"] == text


def test_last_event_and_the_end_share_a_frame() -> None:
    queue = queue_with("1")
    queue.finish()
    assert drain(queue) == [{"id": "7", "seq": 0, "events": [1], "done": True}]


def test_end_has_a_frame_of_its_own_where_nothing_waits() -> None:
    queue = queue_with("1")
    queue.take()
    queue.finish()
    assert drain(queue) == [{"id": "7", "seq": 1, "events": [], "done": True}]


def test_end_waits_as_long_as_its_frame_was_not_taken() -> None:
    queue = ChatFrames("7")
    assert queue.waiting == 0
    queue.finish()
    assert queue.waiting > 0
    queue.take()
    assert queue.waiting == 0


def test_frame_may_have_every_byte_of_the_limit() -> None:
    envelope = len(b'{"id":"7","seq":0,"events":[,]}')
    tail = len(b',"done":true,"cancelled":true')  # kept free in every frame
    rest = event_of(MAX_FRAME_BYTES - envelope - tail - 1000)
    fits = queue_with(event_of(1000), rest)
    fits.finish(is_cancelled=False)
    assert [len(frame["events"]) for frame in drain(fits)] == [2]
    too_many = queue_with(event_of(1001), rest)
    assert [len(frame["events"]) for frame in drain(too_many)] == [1, 1]


@pytest.mark.parametrize("character", ["a", "é", "\n", "😀", "\ud83d"])
def test_largest_event_fits_beside_the_largest_id(character: str) -> None:
    queue = ChatFrames(character * MAX_ID_CHARACTERS)
    queue.add(event_of(MAX_CHAT_EVENT_BYTES))
    queue.finish()
    frame = queue.take()
    assert frame is not None
    assert len(frame) <= MAX_FRAME_BYTES
    assert json.loads(frame)["done"]


def test_end_is_in_the_last_of_several_frames_alone() -> None:
    queue = queue_with(*[event_of(60_000)] * 5)
    queue.finish()
    frames = drain(queue)
    assert [frame.get("done") for frame in frames] == [None, None, True]
    assert [frame["seq"] for frame in frames] == [0, 1, 2]


def test_cancelled_answer_drops_what_waits() -> None:
    queue = queue_with("1")
    queue.take()
    queue.add("2")
    queue.finish(is_cancelled=True)
    assert drain(queue) == [{"id": "7", "seq": 1, "events": [], "done": True, "cancelled": True}]


def test_answer_cancelled_before_its_end_was_taken_ends_cancelled() -> None:
    queue = queue_with("1")
    queue.finish()
    queue.finish(is_cancelled=True)
    assert drain(queue) == [{"id": "7", "seq": 0, "events": [], "done": True, "cancelled": True}]


@pytest.mark.parametrize("events", [[], ["1"]])
def test_cancellation_behind_the_last_frame_says_nothing_more(events: list[str]) -> None:
    queue = queue_with(*events)
    queue.finish()
    assert taken(queue)["done"]
    queue.finish(is_cancelled=True)
    assert (queue.waiting, queue.take()) == (0, None)


def test_frame_that_was_too_large_is_made_anew_as_several_with_the_end_behind() -> None:
    events = [event_of(1000, mark) for mark in "abcd"]
    queue = queue_with(*events)
    queue.finish()
    whole = queue.take()
    assert whole is not None
    queue.take_back()
    frames = drain(queue)
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert len(frames) > 1
    assert [json.dumps(event) for frame in frames for event in frame["events"]] == events
    assert [frame.get("done") for frame in frames] == [None] * (len(frames) - 1) + [True]
    assert queue.joined == len(events) - len(frames)


def test_frame_that_was_too_large_stays_before_what_came_meanwhile() -> None:
    queue = queue_with(event_of(1500, "a"), event_of(1500, "b"), event_of(1500, "b"))
    queue.take()
    queue.add('"c"')
    queue.take_back()
    assert [event[0] for frame in drain(queue) for event in frame["events"]] == ["a", "b", "b", "c"]


def test_answer_cancelled_while_its_frame_was_too_large_ends_cancelled() -> None:
    queue = queue_with(event_of(1000), event_of(1000), event_of(1000))
    queue.take()
    queue.finish(is_cancelled=True)
    queue.take_back()
    frames = drain(queue)
    assert [frame["seq"] for frame in frames] == [0, 1, 2]
    assert frames[-1]["cancelled"]


def test_event_that_is_too_large_by_itself_is_given_up() -> None:
    queue = queue_with(event_of(4000))
    queue.take()
    queue.take_back()
    with pytest.raises(PostTooLarge):
        queue.take()


def test_small_frame_that_is_refused_as_large_is_given_up() -> None:
    queue = queue_with(event_of(MIN_FRAME_BYTES))
    queue.take()
    with pytest.raises(PostTooLarge):
        queue.take_back()


def test_error_message_follows_every_event_and_shares_no_frame() -> None:
    queue = queue_with("1", "2")
    queue.add_message('{"error":{}}')
    assert drain(queue) == [{"id": "7", "seq": 0, "events": [1, 2]}, {"error": {}}]


def test_message_in_place_of_what_waits_leaves_no_end_behind_it() -> None:
    queue = queue_with("1")
    queue.finish()
    queue.clear()
    queue.add_message('{"error":{}}')
    assert drain(queue) == [{"error": {}}]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(3, 5000)),
        st.tuples(st.sampled_from(["take", "take_back"]), st.just(0)),
    )
)


@given(STEPS)
def test_frames_hold_the_events_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    queue, frames, added, refusals = ChatFrames("7"), list[dict[str, Any]](), list[str](), 0
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
    frames += drain(queue)
    assert [json.dumps(event) for frame in frames for event in frame["events"]] == added
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert [frame for frame in frames if frame.get("done")] == frames[-1:]
    assert queue.joined == len(added) - len([frame for frame in frames if frame["events"]])
    assert queue.waiting == 0
