"""What a check is, what it asks the model, how it runs, and the row that it prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from requests import RequestException
from websockets.exceptions import InvalidStatus, WebSocketException

from scripts.access.forbidden import ERROR_TYPE, FORBIDDEN, WEBSOCKET_ACTIONS, why_forbidden
from scripts.smoke.settings import Target

# Long enough to come in pieces.
ASKS_FOR_A_WHILE = "Count from one to thirty in words, with one sentence about each number."

# Long enough to be cancelled: the demo model repeats it, which takes seconds.
ASKS_FOR_MINUTES = "Count from one to ten thousand in words." + " Do not stop." * 60

VALUE = "42"
ASKS_FOR_A_VALUE = f"Answer with exactly this text and nothing else: [[{VALUE}]]"

NAME_WIDTH = 40


class CheckFailedError(Exception):
    """The service did something unexpected. The text quotes no answer and no key."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(what, expected, found)
        self.what = what
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, found {self.found}"


class Stopwatch:
    """Times one check: `first_byte` is called at each arrival, and the first one counts."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._started = now()
        self.first_byte_s: float | None = None

    def first_byte(self) -> None:
        if self.first_byte_s is None:
            self.first_byte_s = self.elapsed_s()

    def elapsed_s(self) -> float:
        return self._now() - self._started


@dataclass(frozen=True, slots=True)
class Check:
    """`run` calls the service, and raises CheckFailedError for an unexpected answer."""

    name: str
    run: Callable[[Target, Stopwatch], None]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a check; `failure` is empty if it passed."""

    name: str
    failure: str
    first_byte_s: float | None
    total_s: float


def run_check(check: Check, target: Target, now: Callable[[], float]) -> Result:
    """Run one check. It raises nothing, whatever the service or the network does.

    A failure names only the kind of an error: its text may hold part of an answer, or a presigned
    address, which opens the service for a while.
    """
    watch = Stopwatch(now)
    failure = ""
    try:
        check.run(target, watch)
    except CheckFailedError as error:
        failure = str(error)
    except InvalidStatus as refused:
        failure = f"status: expected 101, found {_of_handshake(refused, target)}"
    except (RequestException, WebSocketException, OSError) as error:
        failure = f"expected an answer, found no working connection ({type(error).__name__})"
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        failure = f"expected what is documented, found another shape ({type(error).__name__})"
    return Result(check.name, failure, watch.first_byte_s, watch.elapsed_s())


def _of_handshake(refused: InvalidStatus, target: Target) -> str:
    """The status of a refused WebSocket, with the reason of a 403 that the API itself gives."""
    reply = refused.response
    if reply.status_code != FORBIDDEN or target.websocket_auth != "aws_iam":
        return str(reply.status_code)
    kind = reply.headers.get(ERROR_TYPE)
    return why_forbidden(kind, is_signed=True, actions=WEBSOCKET_ACTIONS)


def expect(what: str, found: object, expected: object) -> None:
    """Raise CheckFailedError unless both are equal. It shows both: pass it no answer's text."""
    if found != expected:
        raise CheckFailedError(what, expected, found)


def expect_text(what: str, text: str) -> None:
    """Raise CheckFailedError for an empty text, and show none."""
    if not text.strip():
        raise CheckFailedError(what, "some text", "none")


def joined_deltas(events: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of a streamed answer. Any part of its events may be missing or null."""
    choices = [choice for event in events for choice in event.get("choices") or ()]
    return "".join((choice.get("delta") or {}).get("content") or "" for choice in choices)


def expect_pieces(count: int) -> None:
    """Raise CheckFailedError for a stream in one piece."""
    if count < 2:  # noqa: PLR2004 - more than one
        raise CheckFailedError("stream", "several pieces", f"{count}: something holds it back")


def messages_of(prompt: str) -> list[dict[str, str]]:
    """Return the messages of a request with this prompt."""
    return [{"role": "user", "content": prompt}]


def heading() -> str:
    return f"{'check':{NAME_WIDTH}} result   first byte      total"


def row(result: Result) -> str:
    """Return one line, and a second one for a failure."""
    verdict = "FAILED" if result.failure else "ok"
    first = "-" if result.first_byte_s is None else _milliseconds(result.first_byte_s)
    line = f"{result.name:{NAME_WIDTH}} {verdict:6} {first:>12} {_milliseconds(result.total_s):>10}"
    return f"{line}\n    {result.failure}" if result.failure else line


def summary(results: Sequence[Result]) -> str:
    failed = sum(bool(result.failure) for result in results)
    return f"{len(results)} checks, {failed or 'none'} failed"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
