"""Tells who makes a request: a key of FORWARD_KEY, a key with a record, or a signer.

What counts and limits them is imported when a record or a limit needs it.
"""

from __future__ import annotations

from sluice.authentication import (
    Principal,
    account_of_key,
    account_of_principal,
    is_known,
    principal_of_key,
    principal_of_signer,
    unknown_key,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sluice.access.gate import Gate
    from sluice.authentication import Meanwhile
    from sluice.key_ring import KeyRing
    from sluice.settings import Settings
    from sluice.state.store import StateStore

KEY_PREFIX = "sk-sluice-"
"""How keys with a record begin: no other key is worth a look at the store."""


class Access:
    """Tells principals apart, and has the gate that limits them. Make one for the process's life.

    store: where records and counters are, if there is one.
    """

    def __init__(
        self, settings: Settings, forward_keys: KeyRing, store: StateStore | None = None
    ) -> None:
        self._settings = settings
        self._forward_keys = forward_keys
        self._store = store
        self._gate: Gate | None = None

    def of_key(self, presented: str | None, meanwhile: Meanwhile | None = None) -> Principal:
        """Whose key it is.

        meanwhile: only for a request that a gate admits, or that `check` precedes. Raises
        AuthenticationFailed; KeyNotAllowed and StateUnavailable for a key with a record.
        """
        if presented and is_known(presented, self._forward_keys.keys()):
            return principal_of_key(presented)
        if not presented or not presented.startswith(KEY_PREFIX) or self._store is None:
            raise unknown_key(presented)
        return self._of_record(account_of_key(presented), meanwhile)

    def of_signer(self, arn: str, meanwhile: Meanwhile | None = None) -> Principal:
        """Who signs as this ARN. As of_key where IAM_RECORDS requires a record."""
        if self._settings.iam_records:
            return self._of_record(account_of_principal(arn), meanwhile)
        return principal_of_signer(arn)

    def check(self, principal: Principal) -> None:
        """Raises as of_key for a principal whose record has been changed 30 s ago or earlier."""
        if principal.has_record:
            self.gate().usable_record(principal.account)

    @property
    def has_limits(self) -> bool:
        """Whether the deployment limits every principal."""
        return bool(self._settings.request_rates or self._settings.other_rates)

    def needs_owners(self) -> bool:
        """Whether it must be known whose a WebSocket connection is."""
        return self.has_limits or self._caches_for_each or self._connections_may_have_records()

    def needs_owner(self, principal: Principal) -> bool:
        """Whether the principal's first message must find whose its connection is."""
        return self.counts(principal) or self._caches_for_each

    @property
    def _caches_for_each(self) -> bool:
        settings = self._settings
        return settings.cache_chat_completion and settings.cache_scope == "principal"

    def passes_unknown_connections(self) -> bool:
        """Whether messages pass uncounted while the store cannot say whose they are.

        Not where a connection may be of a key with a record, which may be blocked or out of budget.
        """
        may_pass = self._settings.store_failure != "refuse"
        return may_pass and not self._connections_may_have_records()

    def _connections_may_have_records(self) -> bool:
        keys_have_records = self._settings.websocket_auth == "forward_key" and self._store
        return bool(keys_have_records or self._settings.iam_records)

    def counts(self, principal: Principal) -> bool:
        """Whether the principal's requests are counted."""
        return self.has_limits or principal.has_record

    def gate_for(self, principal: Principal) -> Gate | None:
        """The gate that the principal's requests must pass, if there is one.

        Raises SettingsError where a limit is set and there is no store to count in.
        """
        return self.gate() if self.counts(principal) else None

    def description(self, principal: Principal, path: str) -> dict[str, Any]:
        """What a principal may know of itself: its record, limits to `path`, and what it used."""
        if self._store is None:
            return {"key_alias": None, "name": principal.name}
        return self.gate().info(principal, path)

    def gate(self) -> Gate:
        # Two threads may open two at once. Neither does harm, and the later one stays.
        if self._gate is None:
            from sluice.access.opening import open_gate  # noqa: PLC0415 -- few need it

            self._gate = open_gate(self._settings, self._store)
        return self._gate

    def _of_record(self, account: str, meanwhile: Meanwhile | None) -> Principal:
        is_claimed = meanwhile is not None
        record = self.gate().usable_record(account, meanwhile, is_claimed=is_claimed)
        return Principal(record.key_alias, account, has_record=True)
