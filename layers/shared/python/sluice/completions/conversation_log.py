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
        self._room = 0 if call.path.endswith(VECTORS_AND_FILES) else MAX_RECORDED_BYTES

    @property
    def is_cut(self) -> bool:
        """Whether the answer was too long to be kept whole."""
        return self._room < 0

    def begins(self, status: int, headers: Mapping[str, str]) -> None:
        """The provider answers. headers: those of the bytes that `add_chunk` gets."""
        self.status, self.headers = status, headers

    def add_chunk(self, chunk: bytes) -> None:
        if self._room > 0:
            self.chunks.append(chunk)
            self._room -= len(chunk)

    def add_event(self, data: str) -> None:
        if self._room > 0:
            self.events.append(data)
            self._room -= len(data)
