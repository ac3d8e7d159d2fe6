"""The commands on the records of a store."""

from __future__ import annotations

import difflib
import secrets
import string
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from scripts.access.errors import ToolError
from scripts.access.store import ToolStore, read_all
from scripts.keys.changes import (
    ACCOUNT,
    ALIAS_PREFIX,
    Stored,
    accounts_of,
    alias_item,
    charges,
    creation,
    move,
    removal,
    replacement,
    with_fields,
)
from sluice.access.identity import KEY_PREFIX
from sluice.access.records import Record, record_of
from sluice.authentication import key_digest
from sluice.state.item import Item

KEY_CHARACTERS = 32
"""Length of a key, from 62 characters: 190 bits, which nobody guesses."""
ATTEMPTS = 20
"""How often a change is tried again when the record changes at the same time."""
SUGGESTIONS = 3


class NewKey(NamedTuple):
    """key: shown once, and stored nowhere; None for a principal's record."""

    record: Record
    key: str | None


class Retired(NamedTuple):
    """record: as it is now. charged: requests in progress, charged what they had claimed."""

    record: Record
    key: str | None
    charged: int


def new_key() -> str:
    letters = string.ascii_letters + string.digits
    return KEY_PREFIX + "".join(secrets.choice(letters) for _ in range(KEY_CHARACTERS))


class Records:
    """Every method raises ToolError. clock: Unix time."""

    def __init__(
        self,
        store: ToolStore,
        clock: Callable[[], float] = time.time,
        make_key: Callable[[], str] = new_key,
    ) -> None:
        self._store = store
        self._clock = clock
        self._make_key = make_key

    def all(self) -> list[Stored]:
        """Every record, by alias."""
        names = self._store.items(ALIAS_PREFIX)
        accounts = [str(item[ACCOUNT]) for item in names.values() if ACCOUNT in item]
        items = read_all(self._store, accounts)
        found = [record_of(items.get(account, {})) for account in accounts]
        records = [record for record in found if record is not None]
        shards = [key for record in records for key in accounts_of(record)[1:]]
        items |= read_all(self._store, shards)
        return [_stored(record, items) for record in records]

    def find(self, alias: str) -> Stored:
        name = self._store.get_all([alias_item(alias)]).get(alias_item(alias), {})
        account = str(name.get(ACCOUNT, ""))
        item = self._store.get_all([account]).get(account, {}) if account else {}
        record = record_of(item)
        if record is None:
            raise ToolError(self._unknown(alias))
        if record.shards == 1:
            return Stored(record, {account: item})
        return _stored(record, self._store.get_all(accounts_of(record)))

    def create(self, alias: str, fields: Mapping[str, Any], principal: str | None) -> NewKey:
        now = int(self._clock())
        key = None if principal else self._make_key()
        token = key_digest(key) if key else None
        # Functions may remember an earlier record of the principal: no revision comes again.
        record = Record(alias, token, principal, created_at=now, revision=int(self._clock() * 1000))
        record = with_fields(record, fields, now)
        if not self._store.change_all(creation(record)):
            raise ToolError(self._why_not_created(record))
        return NewKey(record, key)

    def update(self, alias: str, fields: Mapping[str, Any]) -> Record:
        """Change some fields. Another command at the same time loses nothing."""
        return self._updated(alias, fields)[1]

    def rotate(self, alias: str) -> Retired:
        """Replace a record's key, and keep the record and what it has used."""
        if self.find(alias).record.token is None:
            raise ToolError(f"{alias} is a principal's record: there is no key to rotate.")
        before, dead = self._blocked(alias), self._charge_dead(alias)
        key = self._make_key()
        for _ in range(ATTEMPTS):
            stored, now = self.find(alias), self._clock()
            record = stored.record._replace(
                token=key_digest(key),
                blocked=before.blocked,
                updated_at=int(now),
                revision=stored.record.revision + 1,
            )
            if self._store.change_all(move(stored, record, now)):
                return Retired(record, key, dead + len(stored.leases))
        raise ToolError(_busy(alias, "rotate"))

    def delete(self, alias: str) -> Retired:
        self._blocked(alias)
        dead = self._charge_dead(alias)
        for _ in range(ATTEMPTS):
            stored = self.find(alias)
            if self._store.change_all(removal(stored, self._clock())):
                return Retired(stored.record, None, dead + len(stored.leases))
        raise ToolError(_busy(alias, "delete"))

    def _blocked(self, alias: str) -> Record:
        """Block a record, so that no request is admitted from now on; returns it as it was."""
        return self._updated(alias, {"blocked": True})[0]

    def _charge_dead(self, alias: str) -> int:
        """Settle requests whose functions have died; returns how many."""
        found = charges(self.find(alias), self._clock())
        return sum(self._store.change_all(each) for each in found)

    def _updated(self, alias: str, fields: Mapping[str, Any]) -> tuple[Record, Record]:
        """The record before and after a change."""
        for _ in range(ATTEMPTS):
            old = self.find(alias).record
            new = with_fields(old, fields, int(self._clock()))
            if self._store.change_all(replacement(old, new)):
                return old, new
        raise ToolError(f"{alias} is being changed by other commands. Try again.")

    def _why_not_created(self, record: Record) -> str:
        taken = self._store.get_all([alias_item(record.key_alias)])
        if any(ACCOUNT in item for item in taken.values()):
            return (
                f"The alias {record.key_alias} is taken. Choose another one, or change that record:"
                f" npm run keys -- update {record.key_alias} …"
            )
        other = record_of(self._store.get_all([record.key]).get(record.key, {}))
        name = other.key_alias if other else "another alias"
        return f"This principal already has a record, {name}. Change that one, or delete it first."

    def _unknown(self, alias: str) -> str:
        names = self._store.items(ALIAS_PREFIX).items()
        known = [name.removeprefix(ALIAS_PREFIX) for name, item in names if ACCOUNT in item]
        near = difflib.get_close_matches(alias, known, SUGGESTIONS)
        if near:
            hint = f"Did you mean {' or '.join(near)}?"
        else:
            hint = "`npm run keys -- list` shows all." if known else "There is no record yet."
        return f"Unknown alias {alias}. {hint}"


def _stored(record: Record, items: Mapping[str, Item]) -> Stored:
    return Stored(record, {key: items.get(key, {}) for key in accounts_of(record)})


def _busy(alias: str, command: str) -> str:
    return (
        f"Too many requests of {alias} ended meanwhile. It is blocked now."
        f" Try again: npm run keys -- {command} {alias}"
    )
