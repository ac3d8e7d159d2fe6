"""What invocations tell each other about connections: who opened them, and what must end.

Three items. Each is written by one kind of event only, so their order does not matter:
`$disconnect` may come before the record of its `$connect`, which is written after the client has
its answer.
"""

from __future__ import annotations

import time

from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.state.item import Item
    from sluice.state.store import StateStore

# Seconds. https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
CONNECTION_LIFETIME_S = 2 * 3600
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LONGEST_ANSWER_S = 15 * 60
OPENED_KEPT_S = CONNECTION_LIFETIME_S + LONGEST_ANSWER_S  # an answer may begin at the very end
ENDED_KEPT_S = LONGEST_ANSWER_S + 5 * 60  # the longest answer, and clocks that differ


class ConnectionOwner(NamedTuple):
    """Who opened a connection: see access.principals.Principal."""

    principal: str
    account: str = ""
    has_record: bool = False


class ConnectionLook(NamedTuple):
    """What is known about a connection and one request on it."""

    principal: str | None
    """Who opened it; None if that is not recorded, or not yet, or not looked for."""
    is_closed: bool
    is_cancelled: bool


class ConnectionState:
    """Writes and reads the records. Every method raises StateUnavailable if the store fails.

    `clock` returns Unix time in seconds. Any thread may call any method.
    """

    def __init__(self, store: StateStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def opened(self, connection_id: str, owner: ConnectionOwner) -> None:
        """Record who opened a connection."""
        item = {**owner._asdict(), "has_record": int(owner.has_record)}
        self._store.put(_opened(connection_id), item, self._clock() + OPENED_KEPT_S)

    def owner(self, connection_id: str) -> ConnectionOwner | None:
        """Who opened a connection; None if that is not recorded, or not yet."""
        key = _opened(connection_id)
        return _owner(self._store.get_all([key], is_consistent=True).get(key, {}))

    def closed(self, connection_id: str) -> None:
        """Record that a connection is closed, which ends every answer on it."""
        self._store.put(_closed(connection_id), {}, self._clock() + ENDED_KEPT_S)

    def cancelled(self, connection_id: str, request_id: str, at_ms: int) -> None:
        """Record that a client cancels a request that it sent before.

        `request_id` is the client's own, any text. `at_ms` is the requestTimeEpoch of the message
        that cancels. A later cancellation of the same id replaces an earlier one.
        """
        key = _cancelled(connection_id, request_id)
        self._store.put(key, {"at_ms": at_ms}, self._clock() + ENDED_KEPT_S)

    def look(
        self,
        connection_id: str,
        request_id: str | None,
        since_ms: int,
        *,
        with_principal: bool = True,
    ) -> ConnectionLook:
        """What is known now. `request_id` is None for a request without an id.

        `since_ms` is the request's requestTimeEpoch. Clients reuse ids: an earlier cancellation
        meant another request. Each record costs a read: a principal that is known is left out.
        """
        opened, closed = _opened(connection_id), _closed(connection_id)
        cancelled = None if request_id is None else _cancelled(connection_id, request_id)
        keys = [closed, *([cancelled] if cancelled else []), *([opened] if with_principal else [])]
        items = self._store.get_all(keys)
        owner = _owner(items.get(opened, {}))
        cancelled_at = items.get(cancelled or "", {}).get("at_ms")
        return ConnectionLook(
            principal=owner and owner.principal,
            is_closed=closed in items,
            is_cancelled=cancelled_at is not None and int(cancelled_at) >= since_ms,
        )


def connection_state(store: StateStore | None) -> ConnectionState | None:
    """The state in a store, if there is one."""
    return ConnectionState(store) if store else None


def _owner(item: Item) -> ConnectionOwner | None:
    if "principal" not in item:
        return None
    account, has_record = str(item.get("account", "")), bool(item.get("has_record"))
    return ConnectionOwner(str(item["principal"]), account, has_record)


def _opened(connection_id: str) -> str:
    return f"opened {connection_id}"


def _closed(connection_id: str) -> str:
    return f"closed {connection_id}"


def _cancelled(connection_id: str, request_id: str) -> str:
    # OpenSSL's hashes are slow to import, and few answers are looked at.
    from sluice.digests import sha256  # noqa: PLC0415

    # A digest, because an id may be long, and may hold spaces and lone surrogates.
    digest = sha256(request_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"cancelled {connection_id} {digest}"
