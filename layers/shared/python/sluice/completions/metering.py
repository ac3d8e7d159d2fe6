"""Counts what one request uses, where its principal has a record or limits."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from functools import partial

from sluice.access.gate import MAX_CHARACTERS, Ask
from sluice.access.usage import Tokens, claimed_tokens, counted_tokens
from sluice.completions.delivered import Delivered
from sluice.completions.request import TemplateRequest
from sluice.errors import (
    Cancelled,
    InvalidField,
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
    """One request that a gate let through.

    is_background: whether a model works on it although nobody reads the answer.
    """

    def __init__(self, ticket: Ticket, claimed: Tokens, *, is_background: bool = False) -> None:
        self._ticket = ticket
        self._claimed = claimed
        self._is_background = is_background
        self._delivered = Delivered()
        self._is_opaque = False
        """Whether an answer has begun whose length does not say that, such as speech."""
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

    def noting(self, note: Callable[..., None]) -> Callable[..., None]:
        """The same `note` for the log, which learns here of a fallback model."""

        def noted(**facts: Any) -> None:
            self._ticket.answered_by = facts.get("model") or self._ticket.answered_by
            note(**facts)

        return noted

    def headers_over(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of an answer: what is left of our limits, or else of the provider's."""
        own = self._ticket.headers
        if not own:
            return dict(headers)
        return {**{n: v for n, v in headers.items() if not n.startswith(RATE_LIMITS)}, **own}

    def chunks(
        self, chunks: Iterator[bytes], *, has_lines: bool, is_text: bool = True
    ) -> Iterator[bytes]:
        """The same bytes of an answer, counted as they pass, unless it costs nothing.

        has_lines: whether it has events. is_text: whether its length says how many tokens it has.
        """
        if self._claimed == NOTHING:
            return chunks
        if has_lines:
            return self._count_events(chunks)
        return self._count_bytes(chunks) if is_text else self._pass(chunks)

    def count_event(self, data: str) -> None:
        """Count one event that passes."""
        if self._claimed != NOTHING:
            self._delivered.add_events(data.encode("utf-8", "replace"), 1)

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
        claimed, delivered = self._claimed, self._delivered
        counted = counted_tokens(self.usage or {}, claimed.input)
        if counted is not None:
            return counted
        has_begun = self._is_opaque or delivered.has_begun
        if claimed == NOTHING or (isinstance(failure, UNBILLED) and not has_begun):
            return NOTHING
        # Embeddings have no output. What nobody reads is made all the same, in the background.
        is_whole = self._is_opaque or self._is_background or not claimed.output
        made = claimed.output if is_whole else delivered.tokens()
        return Tokens(claimed.input, 0, made, is_estimated=True)

    def _count_events(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._delivered.add_events(chunk, chunk.count(b"data:"))
            yield chunk

    def _count_bytes(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._delivered.add_bytes(chunk)
            yield chunk

    def _pass(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._is_opaque = True
            yield chunk


def metered(
    gate: Gate,
    principal: Principal,
    pending: PendingRequest,
    meanwhile: Meanwhile | None = None,
    fallbacks: Mapping[str, str] | None = None,
    *,
    is_hit: bool = False,
) -> Meter | None:
    """The meter of a request; None for one that nothing limits.

    principal: who sent it. meanwhile: see Gate.admit. fallbacks: the fallback model of each model.
    is_hit: whether its answer is kept, and costs nothing. Raises what Gate.admit raises.
    """
    call = pending.call
    # Some providers read JSON under any content type. Forms name a model; uploads do not.
    asks_model = call.is_json or call.model
    is_free = is_hit or _is_free(call) or not asks_model
    document = None if is_free else _document(call, is_strict=principal.has_record)
    claimed = NOTHING if is_free else claimed_tokens(call.path, call.body, document)
    is_fixed = is_hit or not call.may_ask_another
    others = () if is_fixed else _chain(call.model or "", fallbacks or {})
    ask = _ask_of(pending, claimed)._replace(fallbacks=others)
    ticket = gate.admit(principal, ask, meanwhile)
    if ticket is None:
        return None
    is_background = (document or {}).get("background") is True
    return Meter(ticket, claimed, is_background=is_background)


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
        _is_free(call),
        request.prompt_template if isinstance(request, TemplateRequest) else None,
    )


def _is_free(call: ModelCall) -> bool:
    """Whether no model works on it. A POST without a body cancels something."""
    return call.method in FREE_METHODS or not call.body


def _document(call: ModelCall, *, is_strict: bool) -> dict[str, Any] | None:
    """The members of a request's JSON, by their names in lower case: to some servers case is one.

    is_strict: raises InvalidField for a member that is named twice. Servers differ in which one
    counts, so a key's holder could ask for another model than the record allows.
    """
    try:
        members = json.loads(call.body, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, tuple):
        return None
    document: dict[str, Any] = {}
    for written, value in members:
        name = written.casefold()
        if is_strict and name in document:
            twice = name[:MAX_CHARACTERS]
            raise InvalidField(f"The request must name {twice} once.", param=twice)
        document[name] = value
    return document


def _chain(model: str, fallbacks: Mapping[str, str]) -> tuple[str, ...]:
    models = [model]
    while (other := fallbacks.get(models[-1])) and other not in models:
        models.append(other)
    return tuple(models[1:])
