"""The streams that are measured: what a request asks for, and how late each chunk came. No I/O.

An answer is an OpenAI-compatible event stream. Each event holds the moment it was sent, by the
clock that all processes of a machine share, as the first letters of its delta; so gateways that
write events anew keep it.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "/v1/chat/completions"
MODEL = "bench"
KEY = "sk-bench"
ASKED = re.compile(rb"(\d+) chunks of (\d+) bytes every (\d+) us")
STAMP = re.compile(rb"@(\d{19});")
EVENT_START = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench",'
    b'"choices":[{"index":0,"delta":{"content":"'
)
EVENT_END = b'"},"finish_reason":null}]}\n\n'
LINE_END = b"}\n"
STREAM_END = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
DONE = b"[DONE]"
LAST_CHUNK = b"\r\n0\r\n\r\n"  # no body here holds it: its line ends are bare


@dataclass(frozen=True, slots=True)
class StreamShape:
    """gap_us: between two chunks, in microseconds; 0 is as fast as they are taken."""

    chunks: int
    chunk_bytes: int
    gap_us: int

    def request_body(self) -> bytes:
        """A chat request that asks for this."""
        text = f"{self.chunks} chunks of {self.chunk_bytes} bytes every {self.gap_us} us"
        messages = [{"role": "user", "content": text}]
        return json.dumps({"model": MODEL, "stream": True, "messages": messages}).encode()


@dataclass(slots=True)
class StreamRecord:
    """An answer as it arrived. Times are nanoseconds of the monotonic clock."""

    keeps_pieces: bool = True
    started_ns: int = 0
    ended_ns: int = 0
    size: int = 0
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    tail: bytes = b""

    def add(self, now_ns: int, data: bytes) -> None:
        self.size += len(data)
        self.ended_ns = now_ns
        self.tail = (self.tail + data[-64:])[-64:]
        if self.keeps_pieces:
            self.pieces.append((now_ns, data))

    @property
    def is_chunked_to_its_end(self) -> bool:
        return self.tail.endswith(LAST_CHUNK)

    @property
    def is_whole(self) -> bool:
        """Whether the model's last word is there."""
        return DONE in self.tail

    @property
    def seconds(self) -> float:
        return (self.ended_ns - self.started_ns) / 1e9


def parse_shape(request_body: bytes) -> StreamShape | None:
    asked = ASKED.search(request_body)
    return StreamShape(int(asked[1]), int(asked[2]), int(asked[3])) if asked else None


def event(sent_ns: int, size: int) -> bytes:
    """One chunk of an answer, of `size` bytes where it can be as small."""
    stamp = b"@%019d;" % sent_ns
    padding = size - len(EVENT_START) - len(stamp) - len(EVENT_END)
    return b"".join([EVENT_START, stamp, b"x" * padding, EVENT_END])


def arrivals(pieces: Sequence[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """When each event was sent and when its last byte arrived, by nanoseconds."""
    body = b"".join(data for _, data in pieces)
    ends = list(accumulate(len(data) for _, data in pieces))
    found = []
    for stamp in STAMP.finditer(body):
        end = body.find(LINE_END, stamp.end())
        if end >= 0:
            arrived_ns = pieces[bisect_left(ends, end + len(LINE_END))][0]
            found.append((int(stamp[1]), arrived_ns))
    return found


def delays_us(record: StreamRecord) -> list[float]:
    """How late each chunk came after it was sent, the first one left out."""
    return [(arrived - sent) / 1000 for sent, arrived in arrivals(record.pieces)][1:]


def first_byte_us(record: StreamRecord) -> list[float]:
    """From the request to the first chunk; nothing where none came."""
    return [(arrived - record.started_ns) / 1000 for _, arrived in arrivals(record.pieces)[:1]]
