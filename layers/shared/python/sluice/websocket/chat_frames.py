"""An answer as JSON frames: {"id", "seq", "events"}, the last with "done". No I/O.

The events are the provider's own, each as it sent it.
"""

from __future__ import annotations

import json

from sluice.errors import PostTooLarge
from sluice.websocket.frames import MAX_FRAME_BYTES, FrameQueue, utf8

DONE = ',"done":true'
CANCELLED = DONE + ',"cancelled":true'
MAX_TAIL_BYTES = len("]" + CANCELLED + "}")
MAX_ENVELOPE_BYTES = 4 * 1024  # an id of 256 characters takes 3 KB where each is two escapes
MAX_EVENT_BYTES = MAX_FRAME_BYTES - MAX_ENVELOPE_BYTES
"""What one event may have to fit a frame."""


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
