"""A change of an item in the expressions of DynamoDB's UpdateItem (no I/O).

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

import math

from sluice.named_tuple import NamedTuple
from sluice.state.changes import AtMost, Equals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.state.changes import Change, Guard

KEY, EXPIRY = "id", "expires_at"
"""The table's key, and the attribute by which DynamoDB removes items."""


class Expressions(NamedTuple):
    """condition: empty for none. names, values: what stands behind each #name and :value."""

    update: str
    condition: str
    names: dict[str, str]
    values: dict[str, str | int]


def expressions_of(change: Change) -> Expressions:
    """The expressions that do what `changes.outcome_of` does."""
    return _Writer().write(change)


class _Writer:
    """Gives each name and value a placeholder: they may be any text."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, str | int] = {}

    def write(self, change: Change) -> Expressions:
        sets = [
            *(
                f"{self._name(name)} = if_not_exists({self._name(name)}, {self._value(0)})"
                f" + {self._value(amount)}"
                for name, amount in change.add.items()
            ),
            *(f"{self._name(name)} = {self._value(value)}" for name, value in change.put.items()),
        ]
        removed = [self._name(name) for name in change.remove]
        if change.expires_at is None:
            removed.append(self._name(EXPIRY))
        else:
            until = self._value(math.ceil(change.expires_at))
            sets.append(f"{self._name(EXPIRY)} = {until}")
        condition = " AND ".join(self._condition(guard) for guard in change.guards)
        parts = (("SET", sets), ("REMOVE", removed))
        update = " ".join(f"{word} {', '.join(texts)}" for word, texts in parts if texts)
        names = {placeholder: name for name, placeholder in self._names.items()}
        return Expressions(update, condition, names, self._values)

    def _condition(self, guard: Guard) -> str:
        name = self._name(guard.name)
        if isinstance(guard, AtMost):
            limit = f"{name} <= {self._value(guard.maximum)}"
            return limit if guard.maximum < 0 else f"(attribute_not_exists({name}) OR {limit})"
        if isinstance(guard, Equals):
            is_missing = f"attribute_not_exists({name})"
            return is_missing if guard.value is None else f"{name} = {self._value(guard.value)}"
        return f"attribute_exists({name})"

    def _name(self, name: str) -> str:
        return self._names.setdefault(name, f"#{len(self._names)}")

    def _value(self, value: str | int) -> str:
        placeholder = f":{len(self._values)}"
        self._values[placeholder] = value
        return placeholder
