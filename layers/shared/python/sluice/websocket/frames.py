"""What waits to be posted to a connection, and how it becomes frames. No I/O.

Pieces that arrive while a post is in flight are joined into the next frame, in order, up to what
one message of API Gateway may hold.
"""

from __future__ import annotations

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
