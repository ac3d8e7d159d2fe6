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
from sluice.websocket.frames import MAX_FRAME_BYTES
from sluice.websocket.gateway import END_MARK
from sluice.websocket.posting import BackOff
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    ScriptedUpstream,
    UpstreamRequest,
    answer_stream,
    chunk,
    scripted_upstream,
)
from tests.sluice.clocks import FOREVER
from tests.sluice.websocket.asking import CHAT, PLAIN, TEMPLATE, gateway_with, message_of
from tests.sluice.websocket.scripted_connections import (
    Reply,
    ScriptedConnections,
    scripted_connections,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scripted_upstream import Script

ENVIRON = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


MAX_UNSPLIT_CHARACTERS = 12
"""An event with a text of this length fits any frame, and is not split."""
ANY_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=MAX_UNSPLIT_CHARACTERS)
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


def courses(texts: st.SearchStrategy[list[str]], max_bytes: int) -> st.SearchStrategy[Course]:
    return st.builds(
        Course,
        texts=texts,
        cuts=st.lists(st.integers(0, 2**20), max_size=20),
        plan=st.lists(st.sampled_from(Reply), max_size=20),
        max_bytes=st.just(max_bytes),
    )


COURSES = courses(st.lists(ANY_TEXT, min_size=1, max_size=30), MAX_FRAME_BYTES)
LARGE_COURSES = courses(st.lists(ANY_TEXT | LONG_TEXT, min_size=1, max_size=4), MAX_FRAME_BYTES)
NARROW_COURSES = courses(st.lists(ANY_TEXT, min_size=20, max_size=60), 3_000)
"""Frames are halved until they fit."""


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    ends = [*sorted({cut % len(data) for cut in cuts} - {0}), len(data)]
    for start, end in zip([0, *ends], ends, strict=False):
        yield data[start:end]


def says_in_pieces(course: Course, connections: ScriptedConnections) -> Script:
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


def events_of(course: Course) -> list[Any]:
    data = answer_stream(course.texts).decode().split("\n\n")[:-2]
    return [json.loads(line.removeprefix("data: ")) for line in data]


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
@given(course=COURSES | LARGE_COURSES | NARROW_COURSES)
def test_answer_arrives_whatever_becomes_of_its_posts(course: Course) -> None:
    text = "".join(course.texts)
    with scripted_upstream() as upstream:
        *texts, last = frames_of(course, TEMPLATE, upstream)
        assert ("".join(texts), last) == (text, END_MARK)
        assert "".join(frames_of(course, PLAIN, upstream)) == text
        frames = [json.loads(frame) for frame in frames_of(course, CHAT, upstream)]
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert [frame.get("done") for frame in frames] == [None] * (len(frames) - 1) + [True]
    events = [event for frame in frames for event in frame["events"]]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == text
    if max(map(len, course.texts)) <= MAX_UNSPLIT_CHARACTERS:
        assert events == events_of(course)
