"""When the parts of one request began and ended. No I/O before `Trace.send`.

Only a request that X-Ray samples keeps anything. Its parts become a trace after the client has its
answer: importing AWS's SDK takes longer than most requests.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, ParamSpec, Protocol, TypeVar

    P = ParamSpec("P")
    ResultT = TypeVar("ResultT")

    class Source(Protocol):
        """Whoever notes its calls."""

        @property
        def calls(self) -> Calls: ...


HEADER_VARIABLE = "_X_AMZN_TRACE_ID"
SWITCH = "AWS_XRAY_SDK_ENABLED"
"""The SDK's own switch: `false` turns it off, even for requests that X-Ray samples."""
MAX_PARTS = 50
"""Maximum number of parts of a trace: X-Ray indexes the annotations of about as many, and an answer
of 15 minutes looks at the store 1,200 times."""


class Span:
    """One part of a request. A context manager: its block is the part."""

    def __init__(self, name: str, clock: Callable[[], float], facts: dict[str, Any]) -> None:
        self.name = name
        self.facts = facts
        """Names and figures. Never a prompt, an answer, or a secret."""
        self.error: BaseException | None = None
        self.ended: float | None = None
        self._clock = clock
        self.began = clock()

    def note(self, **facts: Any) -> None:
        self.facts.update(facts)

    def mark(self, name: str) -> None:
        """Note how long ago the part began, in ms."""
        self.facts[name] = round((self._clock() - self.began) * 1000, 1)

    def end(self, error: BaseException | None = None) -> None:
        """Mark the end, and what failed; the last call counts."""
        self.ended, self.error = self._clock(), error

    def __enter__(self) -> Span:  # noqa: PYI034 -- `typing` is kept out of small functions
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.end(error)


class _NotKept(Span):
    """Stands for each part of requests that are not sampled."""

    def note(self, **_facts: Any) -> None: ...
    def mark(self, name: str) -> None: ...
    def end(self, error: BaseException | None = None) -> None: ...


NO_SPAN: Span = _NotKept("", lambda: 0.0, {})


class Calls:
    """The last calls of one kind, noted where they are made, whichever request they are for.

    clock: Unix time in seconds, which goes on while Lambda freezes the process.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.time) -> None:
        self._name = name
        self._clock = clock
        self._spans: list[Span] = []

    def begin(self, operation: str) -> Span:
        """Note a call: the block is the call. operation: its name in AWS's API."""
        span = Span(self._name, self._clock, {"operation": operation})
        self._spans.append(span)
        del self._spans[:-MAX_PARTS]
        return span

    def since(self, began: float) -> list[Span]:
        """Those that were not over by then."""
        return [span for span in self._spans if span.ended is None or span.ended >= began]


class Trace:
    """The parts of one request. From any thread.

    header: X-Ray's, as the runtime got it: `Root=…;Parent=…;Sampled=1`. calls: those of them that
    were made within the request become parts of it.
    """

    def __init__(
        self,
        header: str = "",
        calls: Sequence[Calls] = (),
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        fields = dict(part.partition("=")[::2] for part in header.split(";"))
        self.id = fields.get("Root", "")
        """X-Ray's name for the trace, for the log; empty if Lambda gave none."""
        self.is_sampled = fields.get("Sampled") == "1"
        self._clock = clock
        self._parent_id = fields.get("Parent", "")
        self._calls = calls
        self._wall_clock = wall_clock
        self._began = clock()
        self._spans: list[Span] = []
        self._facts: dict[str, Any] = {}

    def span(self, name: str, **facts: Any) -> Span:
        """A part that begins now."""
        if not self.is_sampled or len(self._spans) >= MAX_PARTS:
            return NO_SPAN
        span = Span(name, self._clock, facts)
        self._spans.append(span)
        return span

    def add(
        self,
        name: str,
        began: float,
        ended: float,
        error: BaseException | None = None,
        **facts: Any,
    ) -> None:
        """Add a part that is over, by time.monotonic(), once, if it ended within this request."""
        is_known = any((span.name, span.began) == (name, began) for span in self._spans)
        if is_known or ended < self._began:
            return
        span = self.span(name, **facts)
        if span is not NO_SPAN:
            span.began, span.ended, span.error = began, ended, error

    def timed(self, name: str, call: Callable[P, ResultT], **facts: Any) -> Callable[P, ResultT]:
        """`call`, whose calls are one part: from the begin of the first to the end of the last."""
        if not self.is_sampled:
            return call
        span = NO_SPAN

        def timed_call(*args: P.args, **kwargs: P.kwargs) -> ResultT:
            nonlocal span
            span = self.span(name, **facts) if span is NO_SPAN else span
            span.note(calls=span.facts.get("calls", 0) + 1)
            with span:
                return call(*args, **kwargs)

        return timed_call

    def close(self, facts: Mapping[str, Any], error: BaseException | None) -> None:
        """The request is over. facts: those of its log line."""
        if self.is_sampled:
            self._facts.update(facts)
            for span in self._spans:
                if span.ended is None:
                    span.end(error)

    def send(self) -> None:
        """Send the trace if it is sampled, once. Only after the client has its answer."""
        if not self.is_sampled:
            return
        self.is_sampled = False
        from sluice.xray import Part, send_parts  # noqa: PLC0415 -- see the module

        now = self._wall_clock()
        ahead = now - self._clock()
        spans = [(span, ahead) for span in self._spans]
        for calls in self._calls:
            spans += [(span, 0.0) for span in calls.since(self._began + ahead)]
        parts = []
        for span, plus in spans[:MAX_PARTS]:
            ended = now if span.ended is None else span.ended + plus
            parts.append(Part(span.name, span.began + plus, ended, span.facts, span.error))
        send_parts(self.id, self._parent_id, parts, self._facts)


UNTRACED = Trace()


def trace_of(context: object, environ: Mapping[str, str], *sources: Source | None) -> Trace:
    """The trace of an invocation. sources: see Trace.

    Our runtime's context has the header of its own invocation. Other runtimes have the variable.
    """
    header = getattr(context, "trace_header", None) or environ.get(HEADER_VARIABLE, "")
    trace = Trace(header, [source.calls for source in sources if source is not None])
    if trace.is_sampled and environ.get(SWITCH, "").lower() == "false":
        trace.is_sampled = False
    return trace
