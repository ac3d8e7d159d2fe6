"""An answer as text frames: the deltas as they are, and perhaps a mark behind them. No I/O."""

from __future__ import annotations

from sluice.websocket.frames import FrameQueue, frame_end, utf8

FIRST_HIGH_SURROGATE, LAST_HIGH_SURROGATE = "\ud800", "\udbff"


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
