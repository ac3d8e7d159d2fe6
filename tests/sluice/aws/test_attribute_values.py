"""Values judged by boto3's own conversion."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from sluice.aws.attribute_values import plain, typed

if TYPE_CHECKING:
    from sluice.aws.attribute_values import Value

scalars = (
    st.none()
    | st.booleans()
    | st.text(max_size=5)
    | st.integers(-(10**37), 10**37)
    | st.binary(max_size=5)
    | st.frozensets(st.text(max_size=3), min_size=1, max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(values)
def test_value_is_typed_as_boto3_types_it_and_comes_back(value: Value) -> None:
    sent = json.loads(json.dumps(typed(value)))
    assert _as_sent(TypeSerializer().serialize(value)) == sent
    assert plain(sent) == value


def test_fractions_keep_their_value() -> None:
    for number in (0.1, -2.5e-7, 1e100):
        assert Decimal(typed(number)["N"]) == Decimal(repr(number))
        assert plain({"N": str(Decimal(repr(number)))}) == number
    assert plain({"N": "1E+2"}) == float(TypeDeserializer().deserialize({"N": "1E+2"}))


def test_type_without_a_form_is_refused() -> None:
    with pytest.raises(TypeError, match="no form for object"):
        typed(object())  # type: ignore[arg-type]  # what a mistake would pass
    with pytest.raises(KeyError):
        plain({"NS": ["1"]})


def _as_sent(value: dict[str, Any]) -> Any:
    """boto3's typed value as its JSON has it."""
    ((kind, held),) = value.items()
    if kind == "B":
        return {"B": base64.b64encode(bytes(Binary(held))).decode()}
    if kind == "M":
        return {"M": {name: _as_sent(each) for name, each in held.items()}}
    if kind == "L":
        return {"L": [_as_sent(each) for each in held]}
    return {kind: sorted(held) if kind == "SS" else held}
