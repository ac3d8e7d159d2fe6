"""The client gets what the model said, whatever happens to bytes and posts.

Random texts in random deltas, whose bytes come in random pieces; posts that are late, throttled,
failing, dropped, or too large. Both sides are real sockets.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.websocket.connections_api import ConnectionsClient
from sluice.websocket.delivery import BackOff
from sluice.websocket.frames import MAX_FRAME_BYTES
from sluice.websocket.gateway import END_MARK
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    ScriptedUpstream,
    UpstreamRequest,
    answer_stream,
    chunk,
    scripted_upstream,
)
from tests.sluice.deadlines import FOREVER
from tests.sluice.websocket.asking import CHAT, PLAIN, TEMPLATE, gateway_with, message_of
from tests.sluice.websocket.scripted_connections import (
    Reply,
    ScriptedConnections,
    scripted_connections,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENVIRON = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


ANY_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
LONG_TEXT = st.tuples(ANY_TEXT, st.integers(2_000, 60_000)).map(lambda it: it[0] * it[1])


@dataclass(frozen=True)
class Course:
    """The course of one answer."""

    texts: list[str]
    cuts: list[int]
    """Where the bytes of the answer are cut, modulo their number."""
    plan: list[Reply]
    max_bytes: int
    """Limit of a post; a larger one gets 413."""


def courses(
    texts: st.SearchStrategy[list[str]], max_bytes: st.SearchStrategy[int], most: int = 8
) -> st.SearchStrategy[Course]:
    return st.builds(
        Course,
        texts=texts,
        cuts=st.lists(st.integers(0, 2**20), max_size=most),
        plan=st.lists(st.sampled_from(Reply), max_size=most),
        max_bytes=max_bytes,
    )


LIMIT = st.just(MAX_FRAME_BYTES)
COURSES = courses(st.lists(ANY_TEXT, min_size=1, max_size=30), LIMIT, most=20)
LARGE_COURSES = courses(st.lists(ANY_TEXT | LONG_TEXT, min_size=1, max_size=4), LIMIT)
NARROW_COURSES = courses(st.lists(ANY_TEXT, min_size=20, max_size=60), st.integers(3_000, 8_000))


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    ends = [*sorted({cut % len(data) for cut in cuts} - {0}), len(data)]
    for start, end in zip([0, *ends], ends, strict=False):
        yield data[start:end]


def says_in_pieces(
    course: Course, connections: ScriptedConnections
) -> Callable[[UpstreamRequest, socket.socket], None]:
    """The answer in pieces, each of which releases a late post."""

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD)
        for piece in pieces(chunk(answer_stream(course.texts)) + LAST_CHUNK, course.cuts):
            connection.sendall(piece)
            connections.progress.release()
        connections.progress.release(len(course.plan))

    return script


def frames_of(course: Course, message: object, upstream: ScriptedUpstream) -> list[str]:
    """The frames that the client gets."""
    connections = ScriptedConnections(course.plan, course.max_bytes)
    upstream.script = says_in_pieces(course, connections)
    with scripted_connections(connections) as endpoint:
        client = ConnectionsClient(endpoint, ENVIRON)
        environ = {"OPENAI_BASE_URL": upstream.url}
        gateway = gateway_with(environ, client, None, BackOff(sleep=lambda _seconds: None))
        gateway.answer(message_of(message), FOREVER)
        client.close()
    assert connections.largest <= MAX_FRAME_BYTES
    return [frame.decode() for frame in connections.frames]


def assert_text_arrives(course: Course, upstream: ScriptedUpstream) -> None:
    text = "".join(course.texts)
    *frames, last = frames_of(course, TEMPLATE, upstream)
    assert ("".join(frames), last) == (text, END_MARK)
    assert "".join(frames_of(course, PLAIN, upstream)) == text


def assert_chat_arrives(course: Course, upstream: ScriptedUpstream) -> list[Any]:
    """Returns its events; an event that was split is several."""
    frames = [json.loads(frame) for frame in frames_of(course, CHAT, upstream)]
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert [frame.get("done") for frame in frames] == [None] * (len(frames) - 1) + [True]
    events = [event for frame in frames for event in frame["events"]]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "".join(course.texts)
    return events


def events_of(course: Course) -> list[Any]:
    data = answer_stream(course.texts).decode().split("\n\n")[:-2]
    return [json.loads(line.removeprefix("data: ")) for line in data]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(course=COURSES)
def test_answer_arrives_whatever_becomes_of_its_posts(course: Course) -> None:
    with scripted_upstream() as upstream:
        assert_text_arrives(course, upstream)
        assert assert_chat_arrives(course, upstream) == events_of(course)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
@given(course=LARGE_COURSES)
def test_large_answer_arrives_in_frames_of_the_limit(course: Course) -> None:
    with scripted_upstream() as upstream:
        assert_text_arrives(course, upstream)
        assert_chat_arrives(course, upstream)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(course=NARROW_COURSES)
def test_answer_arrives_through_a_connection_that_takes_only_small_frames(course: Course) -> None:
    with scripted_upstream() as upstream:
        assert_text_arrives(course, upstream)
        assert assert_chat_arrives(course, upstream) == events_of(course)
