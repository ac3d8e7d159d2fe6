"""Counts what one request uses, where its principal has a record or limits."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from functools import partial

from sluice.access.gate import Ask
from sluice.access.usage import Tokens, claimed_tokens, counted_tokens, output_tokens
from sluice.completions.request import TemplateRequest
from sluice.errors import (
    Cancelled,
    RequestError,
    SettingsError,
    SluiceError,
    StateUnavailable,
    UpstreamRefused,
    UpstreamUnreachable,
)
from sluice.upstream.headers import RATE_LIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from sluice.access.gate import Gate
    from sluice.access.ticket import Ticket
    from sluice.access.usage import Savings
    from sluice.authentication import Meanwhile, Principal
    from sluice.completions.request import PendingRequest
    from sluice.deadline import Deadline
    from sluice.request_log import RequestLog
    from sluice.upstream.call import ModelCall

FREE_METHODS = ("GET", "HEAD", "DELETE", "OPTIONS")
"""Methods that make no model work."""
UNBILLED = (UpstreamRefused, UpstreamUnreachable, SettingsError, RequestError)
"""Errors before which no model has worked, if nothing was delivered."""
MIN_PAUSE_S, MAX_PAUSE_S = 0.2, 10.0
"""Pauses between attempts to settle: clients have their answers, and a failing store needs time."""
NOTHING = Tokens(0, 0, 0)


class Meter:
    """One request that a gate let through."""

    def __init__(self, ticket: Ticket, claimed: Tokens) -> None:
        self._ticket = ticket
        self._claimed = claimed
        self._events = self._bytes = 0
        self.usage: Mapping[str, Any] | None = None
        """The provider's count, once it is known."""
        self.savings: Savings | None = None
        """What a kept answer saved."""

    @contextmanager
    def counting(self, log: RequestLog, deadline: Deadline) -> Iterator[None]:
        """Settle at the end of the log's block. Errors of this block say what is left."""
        log.settle_by(partial(self.settle, log, deadline))
        try:
            yield
        except UpstreamRefused as error:
            error.reply_headers = self.headers_over(error.reply_headers)
            raise
        except SluiceError as error:
            error.own_headers |= self._ticket.headers
            raise

    def headers_over(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of an answer: what is left of our limits, or else of the provider's."""
        own = self._ticket.headers
        if not own:
            return dict(headers)
        return {**{n: v for n, v in headers.items() if not n.startswith(RATE_LIMITS)}, **own}

    def chunks(self, chunks: Iterator[bytes], *, has_lines: bool) -> Iterator[bytes]:
        """The same bytes of an answer, counted as they pass. has_lines: whether it has events."""
        return self._count_events(chunks) if has_lines else self._count_bytes(chunks)

    def count_event(self) -> None:
        """Count one event that passes."""
        self._events += 1

    def settle(
        self,
        log: RequestLog,
        deadline: Deadline,
        failure: BaseException | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Count what was used. A store that fails is tried again until the deadline.

        After that, the log has what was not counted.
        """
        tokens = self._tokens(failure)
        has_failed = failure is not None and not isinstance(failure, Cancelled)
        pause_s = MIN_PAUSE_S
        while True:
            try:
                cost = self._ticket.settle(tokens, self.savings, has_failed=has_failed)
            except StateUnavailable as error:
                if deadline.seconds_left_or_zero() <= pause_s:
                    uncounted = self._ticket.replay(tokens, self.savings, has_failed=has_failed)
                    log.note(uncounted=uncounted, state=error.message)
                    return
                sleep(pause_s)
                pause_s = min(2 * pause_s, MAX_PAUSE_S)
            else:
                log.note(tokens=tokens.total, is_estimated=tokens.is_estimated, micro_usd=cost)
                return

    def _tokens(self, failure: BaseException | None) -> Tokens:
        counted = counted_tokens(self.usage or {}, self._claimed.input)
        if counted is not None:
            return counted
        is_unbilled = isinstance(failure, UNBILLED) and not (self._events or self._bytes)
        if is_unbilled or self._claimed == NOTHING:
            return NOTHING
        made = self._events or output_tokens(self._bytes)
        return Tokens(self._claimed.input, 0, made, is_estimated=True)

    def _count_events(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._events += chunk.count(b"data:")
            yield chunk

    def _count_bytes(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._bytes += len(chunk)
            yield chunk


def metered(
    gate: Gate,
    principal: Principal,
    pending: PendingRequest,
    meanwhile: Meanwhile | None = None,
    *,
    is_hit: bool = False,
) -> Meter | None:
    """The meter of a request; None for one that nothing limits.

    principal: who sent it. meanwhile: see Gate.admit. is_hit: whether its answer is kept, and costs
    nothing. Raises what Gate.admit raises.
    """
    call = pending.call
    is_free = is_hit or call.method in FREE_METHODS or not call.is_json
    claimed = NOTHING if is_free else _claimed(call)
    ticket = gate.admit(principal, _ask_of(pending, claimed), meanwhile)
    if ticket is None:
        return None
    return Meter(ticket, claimed)


def check(gate: Gate, principal: Principal, pending: PendingRequest) -> None:
    """Raise what `metered` would raise for a hit, as far as it is known: see Gate.check."""
    gate.check(principal, _ask_of(pending, NOTHING))


def _ask_of(pending: PendingRequest, claimed: Tokens) -> Ask:
    request, call, target = pending.request, pending.call, pending.target
    return Ask(
        f"{target.route_prefix}{call.path}",
        target.provider.base_url,
        call.model or "",
        claimed,
        pending.deadline.seconds_left_or_zero(),
        call.method in FREE_METHODS,
        request.prompt_template if isinstance(request, TemplateRequest) else None,
    )


def _claimed(call: ModelCall) -> Tokens:
    try:
        document = json.loads(call.body)
    except (ValueError, RecursionError):
        document = None
    return claimed_tokens(call.path, call.body, document if isinstance(document, dict) else None)
