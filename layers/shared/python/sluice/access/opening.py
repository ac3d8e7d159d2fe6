"""Opens the gate that the settings describe."""

from __future__ import annotations

import os

from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.gate import Gate
from sluice.access.prices import read_price_list
from sluice.errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.access.prices import PriceList
    from sluice.settings import Settings
    from sluice.state.store import StateStore

ID_BYTES = 12
"""Of a request: never the same for two, in any number of environments."""


def open_gate(settings: Settings, store: StateStore | None) -> Gate:
    """Raises SettingsError if there is no store to count in."""
    if store is None:
        raise SettingsError("STATE_TABLE", "or STATE_FILE must be set: limits are counted there")
    limits = DeploymentLimits(
        settings.request_rates, settings.other_rates, settings.rate_limit_strategy
    )
    return Gate(store, limits, _Prices(settings).read, _new_id)


class _Prices:
    """The price list, read at its first use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._list: PriceList | None = None

    def read(self) -> PriceList:
        if self._list is None:
            self._list = read_price_list(self._settings.model_prices)
        return self._list


def _new_id() -> str:
    return os.urandom(ID_BYTES).hex()
