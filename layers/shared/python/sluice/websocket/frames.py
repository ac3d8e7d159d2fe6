"""What waits to be posted to a connection, and how it becomes frames. No I/O.

Pieces that arrive while a post is in flight are joined into the next frame, in order, up to the
maximum size of an API Gateway message.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque

from sluice.errors import PostTooLarge
from sluice.text import utf8

MAX_FRAME_BYTES = 128 * 1024
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"""
MIN_FRAME_BYTES = 1024
"""Frames are halved when API Gateway finds them too large. Below this, size is not the reason."""
PIECE_OVERHEAD = 64
"""Memory of a piece besides its characters, in bytes: each delta is an object of its own."""
UTF8_CONTINUATION_MASK, UTF8_CONTINUATION = 0b1100_0000, 0b1000_0000
FIRST_HIGH_SURROGATE, LAST_HIGH_SURROGATE = "\ud800", "\udbff"
DONE = ',"done":true'
CANCELLED = DONE + ',"cancelled":true'
MAX_TAIL_BYTES = len("]" + CANCELLED + "}")
MAX_ENVELOPE_BYTES = 4 * 1024  # an id of 256 characters takes 3 KB if each is two escapes
MAX_CHAT_EVENT_BYTES = MAX_FRAME_BYTES - MAX_ENVELOPE_BYTES
"""Maximum size of one event of a chat, so that it fits a frame."""


class FrameQueue(ABC):
    """Pieces of an answer, which may share a frame, and messages, which follow all pieces.

    joined: how many pieces went out in a frame that another piece had begun.
    """

    def __init__(self) -> None:
        self._pieces: deque[str] = deque()
        self._pieces_size = 0
        self._messages: deque[bytes] = deque()
        self._taken_pieces: list[str] = []
        self._taken = b""
        self._max_bytes = MAX_FRAME_BYTES
        self._is_finished = False
        self.joined = 0

    @property
    def waiting(self) -> int:
        """How much waits: characters of pieces and bytes of messages, with their overhead."""
        return self._pieces_size + sum(map(_size, self._messages))

    def add(self, piece: str) -> None:
        """Add a piece, which may share a frame with its neighbors."""
        if piece:
            self._pieces.append(piece)
            self._pieces_size += _size(piece)

    def add_message(self, message: str) -> None:
        """Add a message, which shares no frame and follows every piece. It may be empty."""
        self._messages.append(utf8(message))

    def finish(self, *, is_cancelled: bool = False) -> None:
        """Mark the end of the answer: no piece follows. A cancelled answer drops what waits."""
        self._is_finished = True
        if is_cancelled:
            self.clear()

    def take(self) -> bytes | None:
        """The next frame to post, or None if there is nothing to post yet."""
        pieces_before = len(self._pieces)
        frame = self._take_pieces()
        if frame is not None:
            self.joined += max(0, pieces_before - len(self._pieces) - 1)
        elif self._messages:
            frame = self._take_message()
        self._taken = frame or b""
        return frame

    def take_back(self) -> None:
        """Put back the last frame, which was too large; later ones have at most half its size.

        Raises PostTooLarge if half its size would be absurdly small.
        """
        self._max_bytes = len(self._taken) // 2
        if self._max_bytes < MIN_FRAME_BYTES:
            raise PostTooLarge(f"API Gateway rejects a frame of {len(self._taken)} bytes as large.")
        if not self._taken_pieces:
            self._messages.appendleft(self._taken)
            return
        self.joined -= max(0, len(self._taken_pieces) - 1)
        for piece in reversed(self._taken_pieces):
            self._put_back(piece)

    def keep_last_message(self) -> None:
        """Drop everything that waits except the last message."""
        last = list(self._messages)[-1:]
        self.clear()
        self._messages.extend(last)

    def clear(self) -> None:
        """Drop everything that waits."""
        self._pieces.clear()
        self._messages.clear()
        self._pieces_size = 0

    @abstractmethod
    def _take_pieces(self) -> bytes | None:
        """A frame with as many pieces as fit; `_taken_pieces` remembers them."""

    def _take_message(self) -> bytes:
        self._taken_pieces = []
        message = self._messages.popleft()
        end = frame_end(message, self._max_bytes)
        if end < len(message):
            self._messages.appendleft(message[end:])
        return message[:end]

    def _pop(self) -> str:
        piece = self._pieces.popleft()
        self._pieces_size -= _size(piece)
        return piece

    def _put_back(self, piece: str) -> None:
        self._pieces.appendleft(piece)
        self._pieces_size += _size(piece)


class TextFrames(FrameQueue):
    """An answer as text. end_mark: the last frame, if the client expects one."""

    def __init__(self, end_mark: str = "") -> None:
        super().__init__()
        self._end_mark = end_mark

    def finish(self, *, is_cancelled: bool = False) -> None:
        super().finish(is_cancelled=is_cancelled)
        if self._end_mark:
            self.add_message(self._end_mark)

    def _take_pieces(self) -> bytes | None:
        text = "".join([self._pop() for _ in range(len(self._pieces))])
        half = ""
        may_continue = not (self._is_finished or self._messages)
        if may_continue and FIRST_HIGH_SURROGATE <= text[-1:] <= LAST_HIGH_SURROGATE:
            # JSON writes characters above U+FFFF as two escapes, and a provider may send the
            # second one with the next delta.
            text, half = text[:-1], text[-1]
        data = utf8(text)
        end = frame_end(data, self._max_bytes)
        for rest in (half, data[end:].decode()):
            if rest:
                self._put_back(rest)
        if not end:
            return None
        self._taken_pieces = [data[:end].decode()]
        return data[:end]


class ChatFrames(FrameQueue):
    """An answer as JSON frames: {"id", "seq", "events"}, the last one with "done".

    The pieces are the provider's events, as it sent them. request_id: the client's, if any.
    """

    def __init__(self, request_id: str | None) -> None:
        super().__init__()
        self._id = "" if request_id is None else f'"id":{json.dumps(request_id)},'
        self._seq = 0
        self._end = ""
        self._taken_end = ""

    @property
    def waiting(self) -> int:
        return super().waiting + len(self._end)

    def finish(self, *, is_cancelled: bool = False) -> None:
        if self._taken_end:
            return  # the last frame is on its way
        super().finish(is_cancelled=is_cancelled)
        self._end = CANCELLED if is_cancelled else DONE

    def clear(self) -> None:
        super().clear()
        self._end = ""

    def take_back(self) -> None:
        super().take_back()
        if self._taken_pieces:
            self._seq -= 1
            self._end, self._taken_end = self._taken_end or self._end, ""

    def _take_pieces(self) -> bytes | None:
        if not (self._pieces or self._end):
            return None
        head = f'{{{self._id}"seq":{self._seq},"events":['.encode()
        events = self._events_of_at_most(self._max_bytes - len(head) - MAX_TAIL_BYTES)
        if not self._pieces:
            self._taken_end, self._end = self._end, ""
        self._seq += 1
        return b"%b%b]%b}" % (head, b",".join(events), self._taken_end.encode())

    def _events_of_at_most(self, room: int) -> list[bytes]:
        events: list[bytes] = []
        self._taken_pieces = []
        while self._pieces and len(event := utf8(self._pieces[0])) <= room:
            self._taken_pieces.append(self._pop())
            events.append(event)
            room -= len(event) + len(",")
        if self._pieces and not events:
            raise PostTooLarge("API Gateway rejects a frame with a single event as too large.")
        return events


def frame_end(data: bytes, max_bytes: int) -> int:
    """How much of the UTF-8 `data` fits a frame without cutting a character."""
    if len(data) <= max_bytes:
        return len(data)
    end = max_bytes
    while data[end] & UTF8_CONTINUATION_MASK == UTF8_CONTINUATION:
        end -= 1
    return end


def _size(piece: str | bytes) -> int:
    return len(piece) + PIECE_OVERHEAD
