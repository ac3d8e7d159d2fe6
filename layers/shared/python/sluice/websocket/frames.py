"""What waits to be posted to a connection, and how it becomes frames. No I/O.

Pieces that arrive while a post is in flight are joined into the next frame, in order, up to what
one message of API Gateway may hold.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque

from sluice.errors import PostTooLarge

MAX_FRAME_BYTES = 128 * 1024
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"""
MIN_FRAME_BYTES = 1024
"""Frames are halved when API Gateway finds them too large; below this, size is not its trouble."""
PIECE_OVERHEAD = 64
"""Bytes that a piece takes beside its characters: a delta is a few letters in their own object."""

UTF8_CONTINUATION_MASK, UTF8_CONTINUATION = 0b1100_0000, 0b1000_0000
FIRST_HIGH_SURROGATE, LAST_HIGH_SURROGATE = "\ud800", "\udbff"
DONE = ',"done":true'
CANCELLED = DONE + ',"cancelled":true'
MAX_TAIL_BYTES = len("]" + CANCELLED + "}")
MAX_ENVELOPE_BYTES = 4 * 1024  # an id of 256 characters takes 3 KB where each is two escapes
MAX_CHAT_EVENT_BYTES = MAX_FRAME_BYTES - MAX_ENVELOPE_BYTES
"""What one event may have to fit a frame."""


class FrameQueue(ABC):
    """Pieces on their way to a connection, which may share a frame; behind them messages.

    joined: how many pieces went out in a frame that another one had begun.
    """

    def __init__(self) -> None:
        self._pieces: deque[str] = deque()
        self._pieces_size = 0
        self._messages: deque[bytes] = deque()
        self._taken_pieces: list[str] = []
        self._taken = b""
        self._max_bytes = MAX_FRAME_BYTES
        self.joined = 0

    @property
    def waiting(self) -> int:
        """How much is held: characters of pieces, with their overhead, and bytes of messages."""
        return self._pieces_size + sum(map(len, self._messages))

    def add(self, piece: str) -> None:
        """A piece that may share a frame with what comes before and after it."""
        if piece:
            self._pieces.append(piece)
            self._pieces_size += _size(piece)

    def add_message(self, message: str) -> None:
        """A message that shares no frame and follows every piece."""
        if message:
            self._messages.append(utf8(message))

    @abstractmethod
    def finish(self, *, is_cancelled: bool = False) -> None:
        """The answer is over: say so in its own way.

        is_cancelled: its client ended it, so nothing of what waits is wanted any more.
        """

    def take(self, *, is_last: bool = False) -> bytes | None:
        """The next frame, not empty; None when nothing waits. is_last: no piece will follow."""
        pieces_before = len(self._pieces)
        frame = self._take_pieces(is_last=is_last or bool(self._messages))
        if frame is not None:
            self.joined += max(0, pieces_before - len(self._pieces) - 1)
        elif self._messages:
            frame = self._take_message()
        self._taken = frame or b""
        return frame

    def take_back(self) -> None:
        """The frame taken last was too large: wait again, and make none of more than half its size.

        Raises PostTooLarge where that would be absurdly small.
        """
        self._max_bytes = len(self._taken) // 2
        if self._max_bytes < MIN_FRAME_BYTES:
            raise PostTooLarge(f"API Gateway refuses a frame of {len(self._taken)} bytes as large.")
        if not self._taken_pieces:
            self._messages.appendleft(self._taken)
            return
        self.joined -= max(0, len(self._taken_pieces) - 1)
        for piece in reversed(self._taken_pieces):
            self._put_back(piece)

    def keep_last_message(self) -> None:
        """Forget what waits but for the last message."""
        last = list(self._messages)[-1:]
        self.clear()
        self._messages.extend(last)

    def clear(self) -> None:
        """Forget what waits."""
        self._pieces.clear()
        self._messages.clear()
        self._pieces_size = 0

    @abstractmethod
    def _take_pieces(self, *, is_last: bool) -> bytes | None:
        """A frame of as many pieces as it can hold; they are kept in `_taken_pieces`."""

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
    """Text on its way to a connection. end_mark: the frame that says that all has been said."""

    def __init__(self, end_mark: str = "") -> None:
        super().__init__()
        self._end_mark = end_mark

    def finish(self, *, is_cancelled: bool = False) -> None:
        if is_cancelled:
            self.clear()
        self.add_message(self._end_mark)

    def _take_pieces(self, *, is_last: bool) -> bytes | None:
        text = "".join([self._pop() for _ in range(len(self._pieces))])
        half = ""
        if not is_last and FIRST_HIGH_SURROGATE <= text[-1:] <= LAST_HIGH_SURROGATE:
            # JSON writes characters beyond U+FFFF as two escapes, and a provider may send the
            # second with the next delta.
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
    """Events on their way to a connection. request_id: what the client calls its request, if so."""

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
            return  # the last frame is on its way already
        if is_cancelled:
            self.clear()
        self._end = CANCELLED if is_cancelled else DONE

    def clear(self) -> None:
        super().clear()
        self._end = ""

    def take_back(self) -> None:
        super().take_back()
        if self._taken_pieces:
            self._seq -= 1
            self._end, self._taken_end = self._taken_end or self._end, ""

    def _take_pieces(self, *, is_last: bool) -> bytes | None:
        del is_last  # an event is whole, whatever follows it
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
            raise PostTooLarge("API Gateway refuses a frame that holds no more than one event.")
        return events


def utf8(text: str) -> bytes:
    """The bytes of `text`; pairs of surrogates become their character, others U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def frame_end(data: bytes, max_bytes: int) -> int:
    """How much of the UTF-8 `data` fits a frame without cutting a character."""
    if len(data) <= max_bytes:
        return len(data)
    end = max_bytes
    while data[end] & UTF8_CONTINUATION_MASK == UTF8_CONTINUATION:
        end -= 1
    return end


def _size(piece: str) -> int:
    return len(piece) + PIECE_OVERHEAD
