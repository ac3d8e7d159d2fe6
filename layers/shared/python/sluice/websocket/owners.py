"""Whose a connection is, for the functions that answer its messages."""

from __future__ import annotations

from sluice.authentication import Principal
from sluice.errors import StateUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.access.identity import Access
    from sluice.request_log import RequestLog
    from sluice.state.connections import ConnectionState

MAX_REMEMBERED = 1000
"""Connections in memory, some 300 bytes each."""


class Owners:
    """Reads the record of a connection once for the life of the execution environment.

    Nothing is read where nothing depends on it.
    """

    def __init__(self, state: ConnectionState | None, access: Access | None) -> None:
        is_needed = access is not None and access.needs_owners()
        self._state = state if is_needed else None
        self._passes_unknown = access is not None and access.passes_unknown_connections()
        self._known: dict[str, Principal] = {}

    def of(self, connection_id: str, log: RequestLog) -> Principal | None:
        """The principal of a connection; None where nothing limits it, or where that is unknown.

        Raises StateUnavailable if the store fails and the connection may have a record.
        """
        if self._state is None:
            return None
        known = self._known.get(connection_id)
        if known is None:
            try:
                owner = self._state.owner(connection_id)
            except StateUnavailable as error:
                if not self._passes_unknown:
                    raise
                log.note(state=error.message, is_counted=False)
                return None
            if owner is None:  # $connect records those that are limited before it lets them in
                return None
            known = Principal(*owner)
            if len(self._known) >= MAX_REMEMBERED:
                self._known = {}  # replaced: another thread may be reading it
            self._known[connection_id] = known
        return known
