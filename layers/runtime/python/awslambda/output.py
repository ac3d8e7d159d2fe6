"""What leaves the process for the function's log: prints, and messages of several lines.

Lambda may freeze or kill the process at any moment, so no text waits in a buffer. CloudWatch makes
an event of each line of the output; a message of several lines must stay one event.
"""

from __future__ import annotations

import io
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import TextIO

    from typing_extensions import Buffer

TELEMETRY_VARIABLE = "_LAMBDA_TELEMETRY_LOG_FD"
"""Names the descriptor that takes log messages as frames; managed runtimes of Lambda have it."""
FRAME_TYPE = 0xA55A0002
TEXT = 1  # added to the frame's type; JSON is 0
HIGHEST_LEVEL = 50  # logging.CRITICAL


class _AtOnce(io.FileIO):
    """Has no buffer, and writes all of what it is given although signals interrupt."""

    def write(self, data: Buffer, /) -> int:
        sent: int | None = super().write(data)
        if isinstance(data, bytes) and sent == len(data):  # as from a text stream
            return sent
        return self._write_rest(memoryview(data).cast("B"), sent)

    def _write_rest(self, data: memoryview, sent: int | None) -> int:
        done = sent or 0
        while done < len(data):
            if sent is None:  # a pipe that is full and must not block
                import select  # noqa: PLC0415 -- almost never needed

                select.select((), (self,), ())
            sent = super().write(data[done:])
            done += sent or 0
        return len(data)


def unbuffered(stream: TextIO) -> TextIO:
    """A text stream that writes to the same file at once; the stream itself if it has no file."""
    try:
        file = _AtOnce(stream.fileno(), "w", closefd=False)
        stream.reconfigure(line_buffering=True)  # type: ignore[attr-defined] # for whoever kept it
    except (AttributeError, OSError):
        return stream
    # A handler's text may hold a lone surrogate; that must not cost the log line.
    return io.TextIOWrapper(file, stream.encoding, "backslashreplace", write_through=True)


class LogLines:
    """Writes each message as one line of a text stream, as AWS's client does without telemetry."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def send(self, message: str, _level: int = 0, *, is_json: bool = False) -> None:  # noqa: ARG002 -- TelemetryFrames needs it
        try:
            self._out.write(message.removesuffix("\n").replace("\n", "\r") + "\n")
            self._out.flush()
        except (OSError, ValueError):
            return  # closed: losing a line is better than losing the process


class TelemetryFrames:
    """Writes each message as a frame, the protocol between AWS's clients and Lambda.

    A frame is its type, the message's length (4 bytes each, big-endian), the time in microseconds
    (8 bytes), and the message.
    """

    def __init__(self, descriptor: int, clock: Callable[[], float] = time.time) -> None:
        self._descriptor = descriptor
        self._clock = clock

    def send(self, message: str, level: int = 0, *, is_json: bool = False) -> None:
        """level: a number of `logging`, 0 if unknown."""
        body = message.encode("utf-8", "backslashreplace")
        head = _frame_type(level, is_json=is_json), len(body), int(self._clock() * 1_000_000)
        sizes = (4, 4, 8)
        frame = b"".join(n.to_bytes(size, "big") for n, size in zip(head, sizes, strict=True))
        frame += body
        try:
            while frame:
                frame = frame[os.write(self._descriptor, frame) :]
        except OSError:
            return  # closed: losing a message is better than losing the process


def _frame_type(level: int, *, is_json: bool) -> int:
    tens = min(HIGHEST_LEVEL, max(0, level)) // 10
    return FRAME_TYPE + (4 + 4 * tens if tens else 0) + (0 if is_json else TEXT)


def log_output(environ: MutableMapping[str, str], out: TextIO) -> LogLines | TelemetryFrames:
    """Lambda's telemetry descriptor, which the function then no longer sees, or the stream."""
    try:
        descriptor = int(environ.pop(TELEMETRY_VARIABLE, ""))
        os.fstat(descriptor)
    except (ValueError, OSError):
        return LogLines(out)
    return TelemetryFrames(descriptor)
