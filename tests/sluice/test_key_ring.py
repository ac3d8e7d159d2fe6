"""Keys in turn, from a variable or from a parameter."""

from __future__ import annotations

import pytest

from sluice.errors import SettingsError
from sluice.key_ring import KeyRing
from sluice.settings import KeySource, read_settings
from tests.sluice.clocks import HandClock


class Parameters:
    """A Parameter Store that records what is read."""

    def __init__(self, value: str | None) -> None:
        self.value = value
        self.reads: list[str] = []

    def read(self, name: str) -> str:
        self.reads.append(name)
        if self.value is None:
            raise LookupError("ParameterNotFound")
        return self.value


def ring_of(*keys: str, clock: HandClock | None = None) -> KeyRing:
    source = KeySource("OPENAI_API_KEY", keys)
    return KeyRing(source, Parameters(None).read, clock or HandClock())


def next_keys(ring: KeyRing, count: int) -> str:
    return "".join(ring.next_key() or "-" for _ in range(count))


@pytest.mark.parametrize(
    ("aside", "turns"),
    [("", "abcdabcd"), ("a", "bcdbcd"), ("b", "acdacd"), ("d", "abcabc"), ("ab", "cdcd"),
     ("ac", "bdbd"), ("bd", "acac"), ("bcd", "aaa")],
)  # fmt: skip
def test_turns_stay_fair_among_the_keys_that_are_left(aside: str, turns: str) -> None:
    ring = ring_of(*"abcd")
    for key in aside:
        ring.set_aside(key, 20)
    for turn in turns:
        assert ring.coming_key() == turn  # which takes no turn
        assert ring.next_key() == turn


def test_key_comes_back_in_its_turn_after_its_rest() -> None:
    clock = HandClock()
    ring = ring_of("a", "b", "c", clock=clock)
    ring.set_aside("b", 20)
    clock.now += 19.9
    assert next_keys(ring, 3) == "aca"
    clock.now += 0.1
    assert next_keys(ring, 4) == "bcab"


def test_key_with_the_shortest_rest_is_tried_if_all_are_set_aside() -> None:
    ring = ring_of("a", "b", "c")
    for key, rest in (("a", 300), ("b", 5), ("c", 20)):
        ring.set_aside(key, rest)
    assert next_keys(ring, 2) == "bb"
    assert ring.next_key({"b"}) == "b"
    assert not ring.has_other_key(())


def test_untried_key_goes_first() -> None:
    ring = ring_of("a", "b", "c")
    assert ring.has_other_key({"a", "c"})
    assert ring.next_key({"a"}) == "b"
    assert ring.next_key({"a", "b"}) == "c"
    assert not ring.has_other_key({"a", "b", "c"})


def test_failed_keys_are_tried_again_in_turn_if_no_other_is_left() -> None:
    ring = ring_of("a", "b")
    assert [ring.next_key(tried) for tried in ((), "a", "ab", "ab")] == list("abab")


def test_no_key_is_none() -> None:
    assert ring_of().next_key() is None


def test_parameter_is_read_once_and_only_when_needed() -> None:
    parameters = Parameters("a,b")
    ring = KeyRing(KeySource("OPENAI_API_KEY", (), "/sluice/dev/openai-api-key"), parameters.read)
    assert (ring.known_keys(), parameters.reads) == ((), [])
    assert next_keys(ring, 3) == "aba"
    assert parameters.reads == ["/sluice/dev/openai-api-key"]
    assert ring.known_keys() == ("a", "b")


def test_parameter_that_could_not_be_read_is_left_alone_for_a_second() -> None:
    parameters, clock = Parameters(None), HandClock()
    ring = KeyRing(KeySource("FORWARD_KEY", (), "/name"), parameters.read, clock)
    for seconds, reads in ((0.0, 1), (0.9, 1), (0.1, 2), (0.1, 2)):
        clock.now += seconds
        with pytest.raises(SettingsError, match="ParameterNotFound"):
            ring.keys()
        assert len(parameters.reads) == reads
    parameters.value = "a"
    clock.now += 1.0
    assert ring.keys() == ("a",)


def test_plain_variable_goes_before_the_parameter() -> None:
    parameters = Parameters("from-parameter")
    ring = KeyRing(KeySource("OPENAI_API_KEY", ("plain",), "/name"), parameters.read)
    assert ring.keys() == ("plain",)
    assert parameters.reads == []


def test_invalid_key_in_a_parameter_is_reported_without_quoting_it() -> None:
    for value in ("sk-a\nsk-b", "sk-\u2019", "sk a"):
        ring = KeyRing(KeySource("OPENAI_API_KEY", (), "/name"), Parameters(value).read)
        with pytest.raises(SettingsError, match="OPENAI_API_KEY_PARAMETER") as caught:
            ring.keys()
        assert "sk" not in str(caught.value)


def test_short_forward_key_in_a_parameter_is_reported_with_how_to_make_a_longer_one() -> None:
    source = read_settings({"FORWARD_KEY_PARAMETER": "/name"}).forward_keys
    with pytest.raises(SettingsError) as caught:
        KeyRing(source, Parameters("fk-short").read).keys()
    assert caught.value.message == (
        "/name, which FORWARD_KEY_PARAMETER names, must hold keys of at least 16 characters."
        " Make one with `openssl rand -hex 24`."
    )


def test_missing_or_empty_parameter_is_an_error_and_not_an_open_door() -> None:
    for value in (None, " , "):
        ring = KeyRing(KeySource("FORWARD_KEY", (), "/name"), Parameters(value).read)
        with pytest.raises(SettingsError, match=r"^FORWARD_KEY_PARAMETER must name .*/name"):
            ring.keys()
