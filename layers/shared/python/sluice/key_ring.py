"""The keys of a KeySource, read when first needed and used in turn."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from sluice.errors import SettingsError
from sluice.settings import read_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.settings import KeySource


class KeyRing:
    """Keys of one kind. A parameter is read once for the life of the execution environment."""

    def __init__(self, source: KeySource, read_parameter: Callable[[str], str]) -> None:
        self._source = source
        self._read_parameter = read_parameter
        self._read: tuple[str, ...] | None = None
        self._turns = count()

    def keys(self) -> tuple[str, ...]:
        """All keys; none where none is set.

        Raises SettingsError where a parameter is named that cannot be read or is empty: better a
        closed door than one without a lock.
        """
        if self._source.plain or not self._source.parameter:
            return self._source.plain
        if self._read is None:
            self._read = self._read_keys()
        return self._read

    def known_keys(self) -> tuple[str, ...]:
        """The keys this process has seen so far; for masking, so it reads nothing."""
        return self._source.plain or self._read or ()

    def next_key(self) -> str | None:
        """The key whose turn it is."""
        keys = self.keys()
        return keys[next(self._turns) % len(keys)] if keys else None

    def _read_keys(self) -> tuple[str, ...]:
        variable, name = f"{self._source.variable}_PARAMETER", self._source.parameter
        try:
            keys = read_keys(self._read_parameter(name), variable)
        except LookupError as error:
            raise SettingsError(
                variable, "the name of an SSM parameter this function may read", f"{name}: {error}"
            ) from error
        if not keys:
            raise SettingsError(variable, "an SSM parameter that holds a key", f"{name}, empty")
        return keys
