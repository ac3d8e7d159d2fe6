"""Keeps what is asked and answered for the chat log, with LOG_CHAT=true.

While a client waits, this only keeps what passes by. `conversation_lines` does all else, and is
imported once the client has its last byte.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.completions.request import TemplateRequest
    from sluice.upstream.call import ModelCall

MAX_RECORDED_BYTES = 32 * 1024 * 1024
"""Maximum size of what is kept of an answer, in bytes: a stream of 128,000 tokens, some 200 bytes
each. What follows is not logged, and the line says so."""
LINES_S, LINES_BYTES_PER_S = 0.2, 2 * 1024 * 1024
"""Seconds to import what makes lines, and the pace of it, on a function with 512 MB."""
VECTORS_AND_FILES = ("/embeddings", "/images/generations", "/audio/speech")
"""Paths whose answers are numbers, pictures and sound: the log has their requests only."""


class Conversation:
    """One request and what is kept of its answer.

    request: as the client sent it. call: as the provider gets it. secrets: gives the keys that no
    line may hold. file: gets the line, too, if there is one. wall_clock: Unix time.
    """

    def __init__(
        self,
        request: TemplateRequest | ModelCall,
        call: ModelCall,
        secrets: Callable[[], tuple[str, ...]],
        source_ip: str = "",
        file: str = "",
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.request = request
        self.call = call
        self.secrets = secrets
        self.source_ip = source_ip
        self.file = file
        self.began = wall_clock()
        self.status: int | None = None
        """The provider's, once its answer has begun."""
        self.headers: Mapping[str, str] = {}
        self.chunks: list[bytes] = []
        """The answer's bytes, or else the data of its events."""
        self.events: list[str] = []
        self.is_cut = False
        """Whether the answer was too long to be kept whole."""
        self._is_kept = not call.path.endswith(VECTORS_AND_FILES)
        self._size = 0

    @property
    def seconds_needed(self) -> float:
        """An upper limit of the time that its lines take."""
        return LINES_S + (self._size + len(self.call.body)) / LINES_BYTES_PER_S

    def begins(self, status: int, headers: Mapping[str, str]) -> None:
        """The provider answers. headers: those of the bytes that `add_chunk` gets."""
        self.status, self.headers = status, headers

    def add_chunk(self, chunk: bytes) -> None:
        if self._has_room_for(chunk):
            self.chunks.append(chunk)

    def add_event(self, data: str) -> None:
        if self._has_room_for(data):
            self.events.append(data)

    def _has_room_for(self, piece: bytes | str) -> bool:
        if not self._is_kept or self._size >= MAX_RECORDED_BYTES:
            self.is_cut = self._is_kept
            return False
        self._size += len(piece)
        return True
