"""Answers from the cache, and for it, on both transports. Imported only where a cache is set."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from functools import partial

from sluice.access.prices import read_price_list
from sluice.access.usage import Savings, counted_tokens
from sluice.cache.entry import MAX_BODY_BYTES, Entry, read_entry, written_entry
from sluice.cache.key import Place, answer_key, may_be_kept, read_document
from sluice.cache.opening import open_cache
from sluice.cache.single_flight import SingleFlight
from sluice.cache.wishes import ONLY_IF_CACHED, Wishes, wishes_of
from sluice.completions.event_stream import (
    EVENT_STREAM,
    pieces_of_events,
    readable,
    recognized,
    stream_end,
)
from sluice.completions.folding import whole_answer
from sluice.completions.recording import RecordedReply, ReplayedReply
from sluice.completions.unfolding import event_stream
from sluice.completions.usage import usage_in
from sluice.completions.usage_event import lacks_usage, usage_cuts, without
from sluice.errors import NoRetry, SluiceError, StateUnavailable
from sluice.named_tuple import NamedTuple
from sluice.secret_mask import mask_of
from sluice.upstream.headers import ACCOUNT_HEADERS, request_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from sluice.access.prices import Price, PriceList
    from sluice.completions.request import PendingRequest
    from sluice.request_log import RequestLog
    from sluice.settings import Settings
    from sluice.trace import Span
    from sluice.upstream.reply import UpstreamReply
    from sluice.upstream.targets import Target

BY_FALLBACK = "fallback_from"
"""What UpstreamClient.ask notes of an answer by another model."""
HIT, MISS, BYPASS = "HIT", "MISS", "BYPASS"
STATE_HEADER, AGE = "x-sluice-cache", "age"
EMBEDDINGS = "/embeddings"
JSON = "application/json"
MAX_WAIT_S = 5.0
"""Maximum wait for the answer to an equal request, in seconds: a client that could see tokens sees
none meanwhile."""
KEEPING_S = 5.0
"""How long it may take to keep an answer, in seconds: a write takes up to 3, and before it a long
answer is read. With less time left an answer is not kept, and no function is killed for it."""
SHARED_BY_ALL = "all"
OWN_HEADERS = (*ACCOUNT_HEADERS, "x-amzn-bedrock-")
"""How names of headers begin that some providers get, and others do not."""
PACED_CHARACTERS = 4
"""Length of an event's text that is made of a whole answer: about a token of English."""


class NotCached(NoRetry):
    """Nothing is kept for a request that may not go to the provider."""

    status = 504  # RFC 9111 section 5.2.1.7
    type = "invalid_request_error"
    code = "not_cached"


class Question(NamedTuple):
    """A request whose answer may be kept under `key`.

    hides_usage: whether it is for a stream without the token counts, which the provider gives.
    """

    key: str
    path: str
    wants_stream: bool
    hides_usage: bool
    wishes: Wishes


class CacheExchange:
    """One request's part of the cache.

    model: the one that is asked for. replayed: the kept answer, if there is one, as its client gets
    it, and usage its token counts. headers: say where the answer is from. price: gives what the
    model costs.
    """

    def __init__(
        self,
        model: str | None,
        state: str,
        price: Callable[[], Price | None],
        replayed: ReplayedReply | None = None,
        usage: Mapping[str, int] | None = None,
        age_s: int | None = None,
    ) -> None:
        self.headers = {STATE_HEADER: state} | ({} if age_s is None else {AGE: str(age_s)})
        self.is_hit = replayed is not None
        self.is_asked = False
        """Whether the limits have let the request through."""
        self.recorded: RecordedReply | None = None
        """The provider's answer, where it may be kept."""
        self._state, self._age_s = state, age_s
        self._model, self._price = model, price
        self._replayed, self._usage = replayed, usage

    def reply(
        self, send: Callable[[Callable[..., None]], UpstreamReply], log: RequestLog
    ) -> UpstreamReply | RecordedReply | ReplayedReply:
        """The kept answer, or the provider's; logs which one.

        send: see UpstreamClient.ask; takes its `note`.
        """
        self.is_asked = True  # not earlier: a refused request is neither a hit nor a miss
        log.note(cache=self._state)
        if self._replayed is not None:
            log.note(cache_age_s=self._age_s, model=self._model)
            return self._replayed
        facts: dict[str, Any] = {}
        try:
            reply = send(facts.update)
        finally:
            log.note(**facts)
        if self._state == MISS and BY_FALLBACK not in facts:  # another model's answer is not kept
            self.recorded = RecordedReply(reply, MAX_BODY_BYTES)
        return self.recorded or reply

    def check(self, wishes: Wishes) -> None:
        """Raises NotCached if the client wants a kept answer or none."""
        if wishes.only_kept and not self.is_hit:
            raise NotCached(f"No answer is kept, and cache-control has {ONLY_IF_CACHED}.")

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Errors of this block say what the cache did, if the limits let the request through."""
        try:
            yield
        except SluiceError as error:
            if self.is_asked:
                error.own_headers |= self.headers
            raise

    def headers_over(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of an answer, with what this cache says of it, and not the provider's."""
        return {n: v for n, v in headers.items() if n != AGE} | self.headers

    def usage(self) -> Mapping[str, int] | None:
        """The token counts of the whole answer: its client may have read a part of it."""
        return self._usage if self.recorded is None else usage_in(self.recorded.body() or b"")

    def savings(self, log: RequestLog) -> Savings:
        """What the kept answer saved; logged too."""
        tokens, price = counted_tokens(self._usage or {}), self._price()
        saved = Savings(
            tokens.total if tokens else 0, price.cost(tokens) if price and tokens else 0
        )
        log.note(saved_tokens=saved.tokens, saved_micro_usd=saved.micro_usd)
        return saved


class AnswerCache:
    """Gives kept answers and keeps new ones. Make one for the life of the process.

    A store that fails has no answers. environ: see open_cache. secrets: gives the keys that no kept
    answer may hold. clock: Unix time. flights: the requests that are being answered.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        secrets: Callable[[], tuple[str, ...]],
        clock: Callable[[], float] = time.time,
        flights: SingleFlight | None = None,
    ) -> None:
        store = open_cache(settings, environ, clock)
        assert store is not None  # noqa: S101 -- see ModelAnswers
        self._store = store
        self._settings = settings
        self._secrets = secrets
        self._clock = clock
        self._flights = flights or SingleFlight()
        self._prices: PriceList | None = None

    @contextmanager
    def exchange(
        self, pending: PendingRequest, *, caching: bool | None = None
    ) -> Iterator[CacheExchange]:
        """One request's part of the cache. Its answer is kept when the block ends well.

        caching: what openai-forward's clients say of the cache. Raises InvalidField, NotCached,
        DeadlineReached, and the reason of the stop signal.
        """
        call = pending.call
        wishes = wishes_of(pending.headers, self._settings.cache_ttl_s, caching=caching)
        document = read_document(call.body) if call.is_json else None
        question = document and self._question(pending, document, wishes)
        if not question:
            exchange = CacheExchange(call.model, BYPASS, partial(self._price, pending))
            exchange.check(wishes)
            with exchange.errors():
                yield exchange
            return
        entry, is_first = self._find(question, pending)
        try:
            exchange = self._exchange(question, pending, entry)
            exchange.check(wishes)
            with exchange.errors():
                yield exchange
            if exchange.recorded is not None:
                self._keep(exchange.recorded, question, pending)
        finally:
            if is_first:
                self._flights.end(question.key)

    def _question(
        self, pending: PendingRequest, document: Mapping[str, Any], wishes: Wishes
    ) -> Question | None:
        """None for a request whose answer may neither be given again nor kept."""
        settings, call, principal = self._settings, pending.call, pending.principal
        is_shared = settings.cache_scope == SHARED_BY_ALL
        is_wanted = wishes.may_read or wishes.may_keep
        if not (may_be_kept(document) and is_wanted and (principal or is_shared)):
            return None
        scope = "" if is_shared or principal is None else principal.account
        target, provider = pending.target, pending.target.provider
        headers = request_headers(call.headers, OWN_HEADERS)
        place = Place(
            target.is_verbatim, provider.name, provider.base_url, call.path, call.query, headers
        )
        # Azure's deployment in the path may replace the body's model.
        models = (call.model, document.get("model"))
        key = answer_key(scope, place, {**document, "model": models})
        if key is None:
            return None
        hides_usage = provider.counts_streams and lacks_usage(document)
        return Question(key, call.path, document.get("stream") is True, hides_usage, wishes)

    def _find(self, question: Question, pending: PendingRequest) -> tuple[Entry | None, bool]:
        """The kept answer, and whether this request is the first that asks the provider for it."""
        if not question.wishes.may_read:
            return None, False
        key = question.key
        entry = self._read(question, pending.log)
        if entry is not None or not question.wishes.may_keep:
            return entry, False
        is_first = self._flights.begin(key)
        if not is_first:
            seconds = min(MAX_WAIT_S, pending.deadline.seconds_left())
            self._flights.wait(key, seconds, pending.stop_signal)
            entry = self._read(question, pending.log)
            is_first = entry is None and self._flights.begin(key)
        return entry, is_first

    def _exchange(
        self, question: Question, pending: PendingRequest, entry: Entry | None
    ) -> CacheExchange:
        price = partial(self._price, pending)
        # A client that gets events at a pace gets as many as it would from the model.
        size = PACED_CHARACTERS if self._settings.event_rates else None
        replayed = entry and _replayed(entry, question, pending.target, size)
        if entry is None or replayed is None:
            state = MISS if question.wishes.may_keep else BYPASS
            return CacheExchange(pending.call.model, state, price)
        age_s = max(0, int(self._clock() - entry.created_at))
        return CacheExchange(pending.call.model, HIT, price, replayed, entry.usage, age_s)

    def _read(self, question: Question, log: RequestLog) -> Entry | None:
        try:
            with self._span(log, "GetItem"):
                data = self._store.get(question.key)
        except StateUnavailable as error:
            log.note(cache_failure=error.message)
            return None
        now, max_age_s = self._clock(), question.wishes.max_age_s
        entry = None if data is None else read_entry(data, question.key, now)
        is_old = entry and max_age_s is not None and now - entry.created_at > max_age_s
        return None if is_old else entry

    def _keep(self, answer: RecordedReply, question: Question, pending: PendingRequest) -> None:
        if pending.deadline.seconds_left_or_zero() < KEEPING_S:
            return
        body = answer.body()
        kind = body and _kind_of(answer.headers, body, question.path)
        if not (body and kind):
            return
        mask, (own_type, whole) = mask_of(self._secrets()), kind
        body, whole = mask.apply(body), mask.apply(whole)
        named = answer.headers.get("content-type", "")  # it may name a charset
        content_type = named if named.lower().startswith(own_type) else own_type
        if whole:
            body = as_given(body, pending.target)
        usage, cuts, now = usage_in(body), usage_cuts(body), self._clock()
        expires_at = now + question.wishes.ttl_s
        entry = Entry(question.key, now, expires_at, content_type, usage, cuts, whole, body)
        try:
            with self._span(pending.log, "PutItem"):
                self._store.put(question.key, written_entry(entry), expires_at)
        except StateUnavailable as error:
            pending.log.note(cache_failure=error.message)

    def _span(self, log: RequestLog, operation: str) -> Span:
        """A part of the request's trace. operation: its name in DynamoDB's API."""
        is_table = self._settings.cache_backend == "DYNAMODB"
        return log.trace.span("cache", **({"operation": operation} if is_table else {}))

    def _price(self, pending: PendingRequest) -> Price | None:
        if self._prices is None:
            self._prices = read_price_list(self._settings.model_prices)
        return self._prices.find(pending.target.provider.base_url, pending.call.model or "")


def _replayed(
    entry: Entry, question: Question, target: Target, piece_characters: int | None
) -> ReplayedReply | None:
    """The kept answer in the form that the client wants; None if it has no such form."""
    body: bytes | None = entry.body
    content_type = entry.content_type
    is_stream = bool(entry.whole)
    if question.wants_stream and not is_stream:
        counts = target.provider.counts_streams and not question.hides_usage
        body = event_stream(entry.body, includes_usage=counts, piece_characters=piece_characters)
        content_type = EVENT_STREAM
    elif is_stream and not question.wants_stream:
        body, content_type = entry.whole, JSON
    elif question.hides_usage:
        body = without(entry.body, entry.cuts)
    return None if body is None else ReplayedReply(content_type, body)


def as_given(stream: bytes, target: Target) -> bytes:
    """An event stream as clients of the target get it, so that no hit has to mend it again."""
    if not target.is_verbatim:
        stream = b"".join(readable(pieces_of_events(stream)))
    return stream + stream_end(stream) if target.provider.mends_stream_end else stream


def _kind_of(headers: Mapping[str, str], body: bytes, path: str) -> tuple[str, bytes] | None:
    """The content type of an answer that ended well, and `Entry.whole`; None for any other."""
    is_stream, _ = recognized(headers, (body,))
    if path == EMBEDDINGS:
        return (JSON, b"") if _has_embeddings(body) else None
    if is_stream:
        whole = whole_answer(body)
        return None if whole is None else (EVENT_STREAM, whole)
    return (JSON, b"") if event_stream(body, includes_usage=False) is not None else None


def _has_embeddings(body: bytes) -> bool:
    """Whether it is embeddings alone. Some providers report errors with status 200, and data."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict) or document.get("error"):
        return False
    found = document.get("data")
    if not isinstance(found, list) or not found:
        return False
    return all(isinstance(each, dict) and each.get("embedding") for each in found)
