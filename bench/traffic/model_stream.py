"""The measured streams: their shape, and the delay of each chunk. No I/O.

An answer is an OpenAI-compatible event stream. The text of each delta begins with the time it was
sent, by the clock that all processes of a machine share, so gateways that rewrite events keep it.
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
KEY = "sk-bench-of-all-gateways"
SHAPE = re.compile(rb"(\d+) chunks of (\d+) bytes every (\d+) us")
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
LAST_CHUNK = b"\r\n0\r\n\r\n"  # bodies do not contain it: their lines end with LF only


@dataclass(frozen=True, slots=True)
class StreamShape:
    """gap_us: microseconds between two chunks; 0 means as fast as they are taken."""

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
        """Whether the answer has its last event."""
        return DONE in self.tail

    @property
    def seconds(self) -> float:
        return (self.ended_ns - self.started_ns) / 1e9


def parse_shape(request_body: bytes) -> StreamShape | None:
    found = SHAPE.search(request_body)
    return StreamShape(int(found[1]), int(found[2]), int(found[3])) if found else None


def event(sent_ns: int, size: int) -> bytes:
    """One chunk of an answer, padded to `size` bytes."""
    stamp = b"@%019d;" % sent_ns
    padding = size - len(EVENT_START) - len(stamp) - len(EVENT_END)
    return b"".join([EVENT_START, stamp, b"x" * padding, EVENT_END])


def arrivals(pieces: Sequence[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """When each event was sent and when its last byte arrived, in nanoseconds."""
    body = b"".join(data for _, data in pieces)
    ends = list(accumulate(len(data) for _, data in pieces))
    found = []
    for stamp in STAMP.finditer(body):
        end = body.find(LINE_END, stamp.end())
        if end >= 0:
            arrived_ns = pieces[bisect_left(ends, end + len(LINE_END))][0]
            found.append((int(stamp[1]), arrived_ns))
    return found


def arrival_of(text: re.Pattern[bytes], pieces: Sequence[tuple[int, bytes]]) -> int | None:
    """When the first match was complete, in nanoseconds; None before that."""
    found = text.search(b"".join(data for _, data in pieces))
    if found is None:
        return None
    ends = list(accumulate(len(data) for _, data in pieces))
    return pieces[bisect_left(ends, found.end())][0]


def delays_us(record: StreamRecord) -> list[float]:
    """Delay of each chunk but the first."""
    return [(arrived - sent) / 1000 for sent, arrived in arrivals(record.pieces)][1:]


def first_byte_us(record: StreamRecord) -> list[float]:
    """From the request to the first chunk; empty if none arrived."""
    return [(arrived - record.started_ns) / 1000 for _, arrived in arrivals(record.pieces)[:1]]
