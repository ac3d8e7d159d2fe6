"""Chats over the WebSocket: one connection for a conversation, one message for each question."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from scripts.access.errors import ToolError
from scripts.access.forbidden import ERROR_TYPE, WEBSOCKET_ACTIONS, why_forbidden
from scripts.chat.answers import ASKS_FOR_TOKENS, Piece, Question, piece_of, reported
from scripts.chat.interrupts import Interrupts
from scripts.chat.place import Place, Way
from sluice.upstream.error_words import reported_error

OPEN_TIMEOUT_S = 20.0  # with a cold start of $connect
CLOSE_TIMEOUT_S = 1.0
SILENCE_TIMEOUT_S = 900.0  # no answer of Lambda lasts longer
CANCEL_TIMEOUT_S = 5.0
"""Time a stopped answer may take to end, in seconds: the service promises two."""
FRAME_BYTES = 32_000
"""Maximum size of a frame, in bytes: API Gateway takes messages of 128 KB in frames of 32 KB."""
REFUSALS = (401, 403)
END = "<END>"
BROKEN = {
    1001: "The service closed the connection: it stopped, or two hours are over. Ask again.",
    1009: "The conversation is too long for a WebSocket message (128 KB): /clear it, or use --url.",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a frame says."""

    pieces: tuple[Piece, ...] = ()
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of a connection, in the queue of its frames."""

    code: int | None


class Stop:
    """A Ctrl-C during one answer, in the queue of frames."""


class Link:
    """An open connection. A thread puts its frames into `frames`, Ctrl-C its Stop."""

    def __init__(self, opening: AbstractContextManager[ClientConnection]) -> None:
        self._exit = ExitStack()
        self._connection = self._exit.enter_context(opening)
        self._is_open = True
        # A signal handler may put into this kind of queue while `get` waits.
        self.frames: SimpleQueue[str | Closed | Stop] = SimpleQueue()
        Thread(target=self._read, daemon=True).start()

    @property
    def is_open(self) -> bool:
        return self._is_open

    def send(self, **message: Any) -> None:
        """Raises ToolError."""
        text = json.dumps(message)  # in ASCII: as many bytes as characters
        frames = [text[at : at + FRAME_BYTES] for at in range(0, len(text), FRAME_BYTES)]
        try:
            self._connection.send(frames if len(frames) > 1 else text)
        except ConnectionClosed as error:
            raise _broken(error.rcvd.code if error.rcvd else None) from None

    def close(self) -> None:
        self._exit.close()

    def _read(self) -> None:
        try:
            for frame in self._connection:
                self.frames.put(str(frame))
        except ConnectionClosed:
            pass  # as close_code says
        self._is_open = False
        self.frames.put(Closed(self._connection.close_code))


class WebSocketChat:
    """Sends each question as one message over the same connection; see Transport."""

    def __init__(self, place: Place, ways: Iterator[Way], interrupts: Interrupts) -> None:
        self._place = place
        self._ways = ways
        self._way = next(ways)
        self._interrupts = interrupts
        self._link: Link | None = None
        self._asked = 0

    def answer(self, question: Question) -> Generator[Piece, None, None]:
        with self._interrupts.raising():
            link = self._connected()
        stop = Stop()
        with self._interrupts.calling(lambda: link.frames.put(stop)):
            if question.template:
                yield from self._pieces(link, stop, of_template, **question.templated())
                return
            request = question.chat()
            try:
                yield from self._pieces(link, stop, of_chat, action="chat", request=request)
            except ToolError as error:
                if ASKS_FOR_TOKENS not in str(error):
                    raise
                del request[ASKS_FOR_TOKENS]
                yield from self._pieces(link, stop, of_chat, action="chat", request=request)

    def close(self) -> None:
        if self._link:
            self._link.close()
            self._link = None

    def _pieces(
        self, link: Link, stop: Stop, read: Callable[[str, str], Said], **message: Any
    ) -> Iterator[Piece]:
        """Send a message, and yield the answer.

        Raises KeyboardInterrupt once a stopped answer has ended.
        """
        self._asked += 1
        name = str(self._asked)
        link.send(id=name, **message)
        is_stopped = False
        is_over = False
        while not is_over:
            frame = _next(link, CANCEL_TIMEOUT_S if is_stopped else SILENCE_TIMEOUT_S)
            if isinstance(frame, Stop) and frame is not stop:
                continue  # it came too late for an answer before this one
            if frame is stop and not is_stopped:
                is_stopped = True
                link.send(action="cancel", id=name)
            elif not isinstance(frame, str):
                self.close()  # drop what still comes
                if not is_stopped:
                    raise _broken(frame.code if isinstance(frame, Closed) else None)
                is_over = True
            elif is_stopped:
                is_over = _is_last(frame, name, read)
            else:
                said = read(frame, name)
                yield from said.pieces
                is_over = said.is_last
        if is_stopped:
            raise KeyboardInterrupt

    def _connected(self) -> Link:
        """The open connection, or a new one. Raises ToolError."""
        said_of_signature = ""
        while not (self._link and self._link.is_open):
            try:
                self._link = Link(self._connect())
            except InvalidStatus as refused:
                other = next(self._ways, None)
                if refused.response.status_code not in REFUSALS or other is None:
                    raise ToolError(said_of_signature or self._explained(refused)) from None
                if self._way.credentials is not None:
                    said_of_signature = self._explained(refused)
                self._way = other
            except (OSError, WebSocketException) as error:
                raise self._place.unreachable(error) from None
        return self._link

    def _connect(self) -> AbstractContextManager[ClientConnection]:
        address, headers = self._place.address, {}
        if self._way.key:
            headers = {"Authorization": f"Bearer {self._way.key}"}
        elif self._way.credentials is not None:
            from scripts.access import signing  # noqa: PLC0415 -- botocore is slow

            address = signing.presigned_websocket_url(
                address, self._way.credentials, self._place.region
            )
        return connect(
            address,
            additional_headers=headers,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            # A proxy of the environment cannot reach this machine.
            proxy=None if self._place.is_local else True,
        )

    def _explained(self, refused: InvalidStatus) -> str:
        reply = refused.response
        kind = reply.headers.get(ERROR_TYPE)
        if kind and self._way.credentials is not None and not self._place.is_local:
            return f"{why_forbidden(kind, is_signed=True, actions=WEBSOCKET_ACTIONS)}."
        words = reported(
            reported_error(bytes(reply.body or b"")) or {"message": reply.reason_phrase}
        )
        advice = "Set FORWARD_KEY, in the shell or in .env, to a key of the service."
        # The local stack says itself what to do about a 403.
        is_about_keys = reply.status_code in (REFUSALS[:1] if self._place.is_local else REFUSALS)
        return f"{reply.status_code}: {words}{f' {advice}' if is_about_keys else ''}"


def _next(link: Link, timeout_s: float) -> str | Closed | Stop | None:
    try:
        return link.frames.get(timeout=timeout_s)
    except Empty:
        return None


def _broken(code: int | None) -> ToolError:
    number = "" if code is None else f" (close code {code})"
    return ToolError(BROKEN.get(code or 0, f"The connection ended before the answer{number}."))


def _is_last(frame: str, name: str, read: Callable[[str, str], Said]) -> bool:
    """Whether a stopped answer ends with this frame: an error ends it, too."""
    try:
        return read(frame, name).is_last
    except ToolError:
        return True


def of_chat(frame: str, name: str) -> Said:
    """Read a frame of a chat; those of other requests say nothing. Raises ToolError."""
    document = _object(frame)
    if document.get("id", name) != name:
        return Said()
    _check(document)
    events = document.get("events")
    pieces = map(piece_of, events if isinstance(events, list) else [])
    return Said(tuple(pieces), document.get("done") is True)


def of_template(frame: str, _name: str) -> Said:
    """Read a frame of a template's answer, which is text. Raises ToolError."""
    document = _object(frame)
    if "requestId" in document:
        _check(document)
    return Said((), is_last=True) if frame == END else Said((Piece(frame),))


def _check(document: dict[str, Any]) -> None:
    """Raises ToolError for the service's errors, and for API Gateway's own."""
    if document.get("error") or "connectionId" in document:
        raise ToolError(reported(document))


def _object(frame: str) -> dict[str, Any]:
    try:
        document = json.loads(frame)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
