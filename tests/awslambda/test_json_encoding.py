"""JSON of values that `json` alone does not encode; test_stock_client compares many more."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from decimal import Decimal

import pytest

from awslambda.json_encoding import JsonEncoder

Point = namedtuple("Point", "x y")  # noqa: PYI024 -- the untyped kind


class Record:
    def __init__(self, fields: object) -> None:
        self.fields = fields

    def _asdict(self) -> object:
        return self.fields


CIRCLE: list[object] = [Point(1, 2)]
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, None, "é"]}, '{"a": [1, null, "é"]}'),
        (Decimal("1.10"), "1.10"),
        ([Decimal("-NaN"), Decimal("Infinity")], "[NaN, Infinity]"),
        ({"p": Point(1, b"b")}, '{"p": {"x": 1, "y": "b"}}'),
        (Record({"a": ()}), '{"a": []}'),
        (
            OrderedDict({b"k": 1, None: 2, True: 3, 1.5: 4}),
            '{"k": 1, "null": 2, "true": 3, "1.5": 4}',
        ),
        ("\ud83d", '"\\ud83d"'),
    ],
)
def test_value_is_encoded(value: object, text: str) -> None:
    assert JsonEncoder().encode(value) == text.encode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1}, "Object of type set is not JSON serializable"),
        (Point, "Object of type type is not JSON serializable"),
        (Record([]), "must return a dict, not list"),
        ({(): 1}, "keys must be str, int, float, bool or None, not tuple"),
        (CIRCLE, "Circular reference detected"),
        (b"\xff", "can't decode byte 0xff"),
    ],
)
def test_value_that_json_has_no_form_for_is_rejected(value: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        JsonEncoder().encode(value)


def test_compact_and_ascii_forms() -> None:
    assert JsonEncoder(",", ":").encode(Point("é", 2)) == '{"x":"é","y":2}'.encode()
    assert JsonEncoder(ascii_only=True).encode(["é", Point("é", 2)]) == (
        b'["\\u00e9", {"x": "\\u00e9", "y": 2}]'
    )
