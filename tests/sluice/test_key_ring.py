"""Keys in turn, from a variable or from a parameter."""

from __future__ import annotations

import pytest

from sluice.errors import SettingsError
from sluice.key_ring import KeyRing
from sluice.settings import KeySource


class Parameters:
    """A Parameter Store that counts."""

    def __init__(self, value: str | None) -> None:
        self._value = value
        self.reads: list[str] = []

    def read(self, name: str) -> str:
        self.reads.append(name)
        if self._value is None:
            raise LookupError("ParameterNotFound")
        return self._value


def test_keys_are_used_in_turn() -> None:
    ring = KeyRing(KeySource("OPENAI_API_KEY", ("a", "b")), Parameters(None).read)
    assert [ring.next_key() for _ in range(3)] == ["a", "b", "a"]


def test_no_key_is_none() -> None:
    assert KeyRing(KeySource("OPENAI_API_KEY"), Parameters(None).read).next_key() is None


def test_parameter_is_read_once_and_only_when_needed() -> None:
    parameters = Parameters("a,b")
    ring = KeyRing(KeySource("OPENAI_API_KEY", (), "/sluice/dev/openai-api-key"), parameters.read)
    assert parameters.reads == []
    assert ring.known_keys() == ()
    assert [ring.next_key() for _ in range(3)] == ["a", "b", "a"]
    assert parameters.reads == ["/sluice/dev/openai-api-key"]
    assert ring.known_keys() == ("a", "b")


def test_plain_variable_goes_before_the_parameter() -> None:
    parameters = Parameters("from-parameter")
    ring = KeyRing(KeySource("OPENAI_API_KEY", ("plain",), "/name"), parameters.read)
    assert ring.keys() == ("plain",)
    assert parameters.reads == []


@pytest.mark.parametrize("value", ["sk-a\nsk-b", "sk-\u2019", "sk a"])
def test_key_of_a_parameter_is_checked_as_one_of_a_variable_is(value: str) -> None:
    ring = KeyRing(KeySource("OPENAI_API_KEY", (), "/name"), Parameters(value).read)
    with pytest.raises(SettingsError, match="OPENAI_API_KEY_PARAMETER") as caught:
        ring.keys()
    assert "sk" not in str(caught.value)


@pytest.mark.parametrize("value", [None, " , "])
def test_missing_or_empty_parameter_is_an_error_and_not_an_open_door(value: str | None) -> None:
    ring = KeyRing(KeySource("FORWARD_KEY", (), "/name"), Parameters(value).read)
    with pytest.raises(SettingsError, match=r"^FORWARD_KEY_PARAMETER: expected .*/name"):
        ring.keys()
