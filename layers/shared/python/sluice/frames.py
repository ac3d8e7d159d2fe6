"""What waits to be posted to a connection, and how it becomes frames. No I/O.

Text that arrives while a post is in flight is joined into the next frame, in order, up to what one
message of API Gateway may hold.
"""

from __future__ import annotations

from collections import deque

MAX_FRAME_BYTES = 128 * 1024
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"""

FIRST_HIGH_SURROGATE, LAST_HIGH_SURROGATE = "\ud800", "\udbff"
UTF8_CONTINUATION_MASK, UTF8_CONTINUATION = 0b1100_0000, 0b1000_0000


class FrameQueue:
    """Text and whole messages on their way to a connection, in order."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._text_characters = 0
        self._frames: deque[bytes] = deque()
        self._frame_bytes = 0

    @property
    def waiting(self) -> int:
        """How much is held: bytes of what is a frame already, characters of what is still text."""
        return self._frame_bytes + self._text_characters

    def add_text(self, text: str) -> None:
        """Text that may share a frame with what comes before and after it."""
        self._text.append(text)
        self._text_characters += len(text)

    def add_message(self, message: str) -> None:
        """A message that shares no frame, unless it has to be split."""
        self._close_text()
        self._add_frames(message)

    def take(self, *, is_last: bool = False) -> bytes | None:
        """The next frame, not empty; None when nothing waits. is_last: no text will follow."""
        if not self._frames:
            self._close_text(hold_back_half_character=not is_last)
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._frame_bytes -= len(frame)
        return frame

    def keep_last(self) -> None:
        """Forget what waits but for the last frame."""
        self._close_text()
        last = list(self._frames)[-1:]
        self.clear()
        self._frames.extend(last)
        self._frame_bytes = sum(map(len, last))

    def clear(self) -> None:
        """Forget what waits."""
        self._text.clear()
        self._frames.clear()
        self._text_characters = self._frame_bytes = 0

    def _close_text(self, *, hold_back_half_character: bool = False) -> None:
        text = "".join(self._text)
        self._text.clear()
        if hold_back_half_character and FIRST_HIGH_SURROGATE <= text[-1:] <= LAST_HIGH_SURROGATE:
            # JSON writes characters beyond U+FFFF as two escapes, and a provider may send the
            # second with the next delta.
            self._text.append(text[-1])
            text = text[:-1]
        self._text_characters = len(self._text)
        self._add_frames(text)

    def _add_frames(self, text: str) -> None:
        rest = _utf8(text)
        while rest:
            end = _frame_end(rest)
            self._frames.append(rest[:end])
            self._frame_bytes += end
            rest = rest[end:]


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # surrogates: pairs become their character, others U+FFFD
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _frame_end(data: bytes) -> int:
    """How much of `data` fits a frame without cutting a character."""
    if len(data) <= MAX_FRAME_BYTES:
        return len(data)
    end = MAX_FRAME_BYTES
    while data[end] & UTF8_CONTINUATION_MASK == UTF8_CONTINUATION:
        end -= 1
    return end
