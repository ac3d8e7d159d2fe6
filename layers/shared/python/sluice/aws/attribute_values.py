"""DynamoDB's typed attribute values, as Python's values (no I/O).

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
Sets of numbers and of bytes are missing: nothing here uses them.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Value: TypeAlias = (
        str
        | int
        | float
        | bytes
        | Sequence["Value"]
        | Mapping[str, "Value"]
        | AbstractSet[str]
        | None
    )
    Item: TypeAlias = Mapping[str, Value]
    TypedValue: TypeAlias = dict[str, Any]


def typed_item(item: Item) -> dict[str, TypedValue]:
    return {name: typed(value) for name, value in item.items()}


def plain_item(item: Mapping[str, TypedValue]) -> dict[str, Any]:
    return {name: plain(value) for name, value in item.items()}


def typed(value: Value) -> TypedValue:
    """A value as DynamoDB takes it. Raises TypeError for a type that it has no form for."""
    for kind, types, convert in FORMS:
        if isinstance(value, types):
            return {kind: convert(value)}
    raise TypeError(f"DynamoDB has no form for {type(value).__name__}")


def plain(typed_value: TypedValue) -> Any:
    """A value from DynamoDB; a set is frozen. Raises KeyError for an unknown type."""
    ((kind, value),) = typed_value.items()
    return READERS[kind](value)


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


# In this order: True is an int, and a text is a sequence.
FORMS: tuple[tuple[str, Any, Any], ...] = (
    ("NULL", type(None), lambda _: True),
    ("BOOL", bool, bool),
    ("S", str, str),
    ("N", (int, float), repr),
    ("B", bytes, _base64),
    ("M", Mapping, typed_item),
    ("SS", AbstractSet, sorted),
    ("L", Sequence, lambda values: [typed(each) for each in values]),
)
READERS: dict[str, Any] = {
    "NULL": lambda _: None,
    "BOOL": bool,
    "S": str,
    "N": _number,
    "B": binascii.a2b_base64,
    "M": plain_item,
    "SS": frozenset,
    "L": lambda values: [plain(each) for each in values],
}
