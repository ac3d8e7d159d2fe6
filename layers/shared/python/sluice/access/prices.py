"""What tokens cost: a list that ships with the layer, and MODEL_PRICES over it.

`npm run prices` writes the list from the package genai-prices (https://pypi.org/project/genai-prices/).
"""

from __future__ import annotations

import json
import re

from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sluice.access.usage import Tokens

FILE = "prices.json"
DATE = r"-\d{4}-?\d{2}-?\d{2}$"
"""At the end of a model's name: which of its versions it is."""
NANO_PER_MICRO = 1000


class Price(NamedTuple):
    """Nano-USD per token, so USD per million tokens times 1000.

    long_from: prompts with more tokens than this cost the long_ prices. None: no such prices.
    """

    input: int
    cached_input: int
    output: int
    long_from: int | None = None
    long_input: int = 0
    long_cached_input: int = 0
    long_output: int = 0

    def cost(self, tokens: Tokens) -> int:
        """Micro-USD; a started one counts."""
        price = self
        if self.long_from is not None and tokens.input > self.long_from:
            price = Price(self.long_input, self.long_cached_input, self.long_output)
        nano = (
            (tokens.input - tokens.cached) * price.input
            + tokens.cached * price.cached_input
            + tokens.output * price.output
        )
        return -(-nano // NANO_PER_MICRO)


class PriceList:
    """Prices by the URL of a server and the name of a model. FREE: of what no model works on."""

    FREE = Price(0, 0, 0)

    def __init__(self, document: str, own: Mapping[str, tuple[int, int, int]]) -> None:
        """document: the list's text. own: MODEL_PRICES, which holds for every server."""
        self._servers = json.loads(document)["servers"]
        self._own = own
        self._at: dict[str, list[Any]] = {}
        """The servers of the list by base URL. These are few: the targets'."""

    def find(self, base_url: str, model: str) -> Price | None:
        """The price of a model at a server. None for a model that neither list knows.

        A model of a server that is not in the list costs what its maker takes for it.
        """
        names = _names(model)
        for name in names:
            if name in self._own:
                return Price(*self._own[name])
        for server in self._servers_at(base_url):
            for name in names:
                if name in server["models"]:
                    return Price(*server["models"][name])
        return None

    def _servers_at(self, base_url: str) -> list[Any]:
        """The servers at a URL, or else all."""
        if base_url not in self._at:
            servers = [*self._servers.values()]
            here = [server for server in servers if re.match(server["url"], base_url)]
            self._at[base_url] = here or servers
        return self._at[base_url]


def read_price_list(own: Mapping[str, tuple[int, int, int]]) -> PriceList:
    """The list of this layer."""
    from importlib.resources import files  # noqa: PLC0415 -- only where a budget is counted

    return PriceList(files("sluice.access").joinpath(FILE).read_text("utf-8"), own)


def _names(model: str) -> list[str]:
    """The names under which a list may have a model, the closest first."""
    name = model.lower()
    undated = re.sub(DATE, "", name)
    short = undated.rpartition("/")[2]  # openai/gpt-4o, models/gemini-2.0-flash
    return list(dict.fromkeys([name, undated, short]))
