"""Whose a connection is, for the functions that answer its messages."""

from __future__ import annotations

from sluice.authentication import Principal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.access.identity import Access
    from sluice.state.connections import ConnectionState

MAX_REMEMBERED = 1000
"""Connections in memory, some 300 bytes each."""


class Owners:
    """Reads the record of a connection once for the life of the execution environment.

    Nothing is read where nothing depends on it.
    """

    def __init__(self, state: ConnectionState | None, access: Access | None) -> None:
        is_needed = access is not None and access.may_limit_messages()
        self._state = state if is_needed else None
        self._known: dict[str, Principal] = {}

    def of(self, connection_id: str) -> Principal | None:
        """The principal of a connection; None where nothing limits it. Raises StateUnavailable."""
        if self._state is None:
            return None
        known = self._known.get(connection_id)
        if known is None:
            owner = self._state.owner(connection_id)
            if owner is None:  # $connect records those that are limited before it lets them in
                return None
            known = Principal(*owner)
            if len(self._known) >= MAX_REMEMBERED:
                self._known = {}  # replaced: another thread may be reading it
            self._known[connection_id] = known
        return known
