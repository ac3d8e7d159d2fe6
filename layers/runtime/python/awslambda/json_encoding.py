"""Values as JSON, with what AWS's own client accepts beyond `json`.

AWS's client encodes results with simplejson: a Decimal keeps its digits, a named tuple is an
object, bytes are UTF-8 text. Half a surrogate pair becomes its JSON escape, as in Node.js.
"""

from __future__ import annotations

import json
import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class JsonEncoder:
    """Encodes values of one format."""

    def __init__(
        self, item_separator: str = ", ", key_separator: str = ": ", *, ascii_only: bool = False
    ) -> None:
        self._item_separator = item_separator
        self._key_separator = key_separator
        separators = (item_separator, key_separator)
        self._plain = json.JSONEncoder(ensure_ascii=ascii_only, separators=separators).encode

    def encode(self, value: Any) -> bytes:
        """Raises TypeError, ValueError, RecursionError, or what the value's own code raises."""
        try:
            # Both are C and fast. `json` alone would make a list of a named tuple; marshal refuses
            # whatever is not exactly a built-in type.
            marshal.dumps(value)
            text = self._plain(value)
        except (TypeError, ValueError):
            text = self._any(value, set())
        return text.encode("utf-8", "backslashreplace")

    def _any(self, value: Any, parents: set[int]) -> str:
        """Encode in the order of simplejson's checks, with one frame per level of nesting."""
        if value is None or isinstance(value, (str, int, float)):
            return self._plain(value)
        if isinstance(value, bytes):
            return self._plain(value.decode())
        identity = id(value)
        if identity in parents:
            raise ValueError("Circular reference detected")
        parents.add(identity)
        value = _dict_of_named_tuple(value)
        parts = []
        if isinstance(value, dict):
            for key, item in value.items():
                name = self._plain(_name(key))
                parts.append(f"{name}{self._key_separator}{self._any(item, parents)}")
            text = f"{{{self._item_separator.join(parts)}}}"
        elif isinstance(value, (list, tuple)):
            for item in value:
                parts.append(self._any(item, parents))  # noqa: PERF401 -- would be a second frame
            text = f"[{self._item_separator.join(parts)}]"
        else:
            text = _number_or_json(value)
        parents.remove(identity)
        return text


def _dict_of_named_tuple(value: Any) -> Any:
    as_dict = getattr(value, "_asdict", None)
    if not callable(as_dict):
        return value
    try:
        fields = as_dict()
    except TypeError:
        return value  # a class of named tuples, for example
    if not isinstance(fields, dict):
        raise TypeError(f"_asdict() must return a dict, not {type(fields).__name__}")
    return fields


def _name(key: Any) -> str:
    if isinstance(key, bytes):
        return key.decode()
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, (int, float)):
        return json.dumps(key)
    raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")


def _number_or_json(value: Any) -> str:
    from decimal import Decimal  # noqa: PLC0415 -- whoever returns one has imported it

    if isinstance(value, Decimal):
        return "NaN" if value.is_nan() else str(value)
    raw_json = sys.modules.get("simplejson.raw_json")
    if raw_json and isinstance(value, raw_json.RawJSON):
        return str(value.encoded_json)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
