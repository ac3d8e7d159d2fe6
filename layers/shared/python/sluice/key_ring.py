"""The keys of a KeySource: read at their first use, and used in turn."""

from __future__ import annotations

import time

from sluice import setting_values
from sluice.errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sluice.settings import KeySource

FAILED_READ_REST_S = 1.0
"""Time until a parameter that could not be read is read again, in seconds. SSM allows an account 40
reads a second: clients that keep knocking must not use them up for other functions."""


def parameters_of(*sources: KeySource) -> list[str]:
    """The names of the parameters that hold these keys."""
    return [source.parameter for source in sources if source.parameter and not source.plain]


class KeyRing:
    """Keys of one kind. A parameter is read once for the life of the execution environment.

    read_parameter: returns the value of a name; raises LookupError. clock: seconds that only
    increase, for keys that are set aside and for reads that failed.
    """

    def __init__(
        self,
        source: KeySource,
        read_parameter: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._read_parameter = read_parameter
        self._clock = clock
        self._read: tuple[str, ...] | None = None
        self._failed: tuple[SettingsError, float] | None = None
        """Why the last read failed, and until when there is no other."""
        self._turn = 0
        self._aside_until: dict[str, float] = {}

    def keys(self) -> tuple[str, ...]:
        """All keys; an empty tuple if none is set.

        Raises SettingsError if a parameter is named but cannot be read or is empty: better to
        refuse everyone than to admit everyone.
        """
        if self._source.plain or not self._source.parameter:
            return self._source.plain
        if self._read is None:
            self._read = self._read_unless_it_just_failed()
        return self._read

    def known_keys(self) -> tuple[str, ...]:
        """The keys this process has seen so far; for masking, so it reads nothing."""
        return self._source.plain or self._read or ()

    def next_key(self, tried: Collection[str] = ()) -> str | None:
        """The key whose turn it is, of those not tried and not set aside.

        If there is none, the key that will be back first: it is still worth a try.
        """
        keys = self.keys()
        key = self._in_turn(keys, tried)
        if key is not None:
            self._turn = keys.index(key) + 1
        return key

    def coming_key(self) -> str | None:
        """What next_key will return, if the keys are known already."""
        return self._in_turn(self.known_keys(), ())

    def has_other_key(self, tried: Collection[str]) -> bool:
        """Whether there is a key that was not tried and is not set aside."""
        return bool(self._fit(self.keys(), tried))

    def set_aside(self, key: str, seconds: float) -> None:
        """Use other keys for `seconds`: the provider refused this one."""
        self._aside_until[key] = self._clock() + seconds

    def _in_turn(self, keys: tuple[str, ...], tried: Collection[str]) -> str | None:
        if not keys:
            return None
        in_turn = keys[self._turn % len(keys) :] + keys[: self._turn % len(keys)]
        fit = self._fit(in_turn, tried)
        return fit[0] if fit else min(in_turn, key=lambda each: self._aside_until.get(each, 0.0))

    def _fit(self, keys: tuple[str, ...], tried: Collection[str]) -> list[str]:
        now = self._clock()
        return [k for k in keys if k not in tried and self._aside_until.get(k, now) <= now]

    def _read_unless_it_just_failed(self) -> tuple[str, ...]:
        if self._failed is not None and self._clock() < self._failed[1]:
            raise self._failed[0].with_traceback(None)
        try:
            return self._read_keys()
        except SettingsError as error:
            self._failed = error, self._clock() + FAILED_READ_REST_S
            raise

    def _read_keys(self) -> tuple[str, ...]:
        variable, name = f"{self._source.variable}_PARAMETER", self._source.parameter
        try:
            keys = self._source.parse(self._read_parameter(name))
        except LookupError as error:
            rule = "must name an SSM parameter that this function may read"
            raise SettingsError(variable, rule, f"{name}: {error}") from error
        except setting_values.InvalidValue as error:
            told = f"{name}, which {variable} names,"
            raise SettingsError(told, error.rule, hint=error.hint) from None
        if not keys:
            raise SettingsError(variable, "must name an SSM parameter that holds a key", name)
        return keys
