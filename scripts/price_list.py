"""Writes the prices that budgets count with: `npm run prices`, from the package genai-prices.

The file is part of the shared layer. Its prices are those that hold on the day it is written.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from genai_prices.data import providers
from genai_prices.types import ClauseEquals, ClauseOr, ModelPrice, TieredPrices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from genai_prices.types import MatchLogic, ModelInfo

FILE = Path(__file__).parents[1] / "layers/shared/python/sluice/access/prices.json"
# fmt: off
SERVERS = (
    "openai", "anthropic", "google", "aws", "azure", "mistral", "deepseek", "x-ai", "groq",
    "cerebras", "together", "fireworks", "perplexity", "cohere", "moonshotai", "zai", "meta",
    "openrouter",
)
# fmt: on
"""Those that people put behind the gateway. The first that knows a model also prices it for servers
that are missing here, such as another gateway."""
NANO_PER_TOKEN = 1000  # USD per million tokens are thousands of nano-USD per token


def price_list(day: datetime) -> dict[str, object]:
    """The document of the file."""
    by_id = {provider.id: provider for provider in providers}
    listed = [(name, by_id[name]) for name in SERVERS]
    return {
        "source": f"genai-prices {version('genai-prices')}",
        "date": day.date().isoformat(),
        "servers": {
            name: {
                "url": provider.api_pattern,
                "models": dict(sorted(_models(provider.models, day))),
            }
            for name, provider in listed
        },
    }


def _models(models: list[ModelInfo], day: datetime) -> Iterator[tuple[str, list[int]]]:
    for model in models:
        prices = _numbers(model.get_prices(day))
        if prices:
            yield from ((name, prices) for name in {model.id, *_names(model.match)})


def _numbers(prices: ModelPrice) -> list[int]:
    """Nano-USD per token of input, cached input and output.

    Then, where long prompts have prices of their own: the number of input tokens above which they
    hold, and the three prices.
    """
    if prices.input_mtok is None:
        return []
    cached = prices.cache_read_mtok if prices.cache_read_mtok is not None else prices.input_mtok
    three = (prices.input_mtok, cached, prices.output_mtok)
    starts = {price.tiers[0].start for price in three if isinstance(price, TieredPrices)}
    base = [_nano(_base(price)) for price in three]
    if not starts:
        return base
    return [*base, min(starts), *(_nano(_long(price)) for price in three)]


def _base(price: Decimal | TieredPrices | None) -> Decimal | None:
    return price.base if isinstance(price, TieredPrices) else price


def _long(price: Decimal | TieredPrices | None) -> Decimal | None:
    return price.tiers[-1].price if isinstance(price, TieredPrices) else price


def _nano(price: Decimal | None) -> int:
    return round((price or 0) * NANO_PER_TOKEN)


def _names(match: MatchLogic) -> Iterator[str]:
    """The names that a model has, apart from patterns."""
    if isinstance(match, ClauseEquals):
        yield match.equals
    elif isinstance(match, ClauseOr):
        for clause in match.or_:
            yield from _names(clause)


def written(document: dict[str, object]) -> str:
    """The document as JSON with one model a line, to show in a diff what has changed."""
    text = json.dumps(document, separators=(",", ":"))
    return re.sub(r'(?<=[]}],)"|(?<=models":{)"', '\n"', text) + "\n"


def main() -> None:
    FILE.write_text(written(price_list(datetime.now(UTC))), "utf-8")


if __name__ == "__main__":
    main()
