"""Which price a model has, and what tokens cost."""

from __future__ import annotations

import json

import pytest

from sluice.access.prices import Price, PriceList, read_price_list
from sluice.access.usage import Tokens
from sluice.limit_values import model_prices

OPENAI, GROQ = "https://api.openai.com/v1", "https://api.groq.com/openai/v1"
DOCUMENT = {
    "servers": {
        "openai": {
            "url": r"https://api\.openai\.com",
            "models": {"gpt-4o": [2500, 1250, 10_000], "luna": [100, 10, 500, 1000, 200, 20, 750]},
        },
        "groq": {
            "url": r"https://api\.groq\.com",
            "models": {"gpt-4o": [1, 1, 1], "llama": [2, 2, 3]},
        },
    }
}


def price_list(own: dict[str, tuple[int, int, int]] | None = None) -> PriceList:
    return PriceList(json.dumps(DOCUMENT), own or {})


@pytest.mark.parametrize(
    ("url", "model", "output"),
    [
        (OPENAI, "gpt-4o", 10_000),
        (OPENAI, "GPT-4o-2024-11-20", 10_000),
        (GROQ, "gpt-4o", 1),
        ("http://127.0.0.1:4000/v1", "gpt-4o", 10_000),
        ("http://127.0.0.1:4000/v1", "openai/gpt-4o", 10_000),
        ("http://127.0.0.1:4000/v1", "llama", 3),
        (OPENAI, "llama", None),
        (OPENAI, "gpt-4", None),
        (OPENAI, "", None),
    ],
)
def test_price_is_found_by_server_and_model(url: str, model: str, output: int | None) -> None:
    price = price_list().find(url, model)
    assert (price and price.output) == output


def test_own_prices_hold_for_every_server() -> None:
    own = model_prices('{"gpt-4o": {"input": 1, "output": 2.5}, "Mine": {"input": 0, "output": 0}}')
    prices = price_list(own)
    assert prices.find(GROQ, "gpt-4o") == Price(1000, 1000, 2500)
    assert prices.find(OPENAI, "mine") == Price(0, 0, 0)


@pytest.mark.parametrize(
    ("tokens", "micro"),
    [
        (Tokens(0, 0, 0), 0),
        (Tokens(1, 0, 0), 1),  # 0.1, and what has begun counts
        (Tokens(1000, 0, 1000), 600),
        (Tokens(1000, 400, 1000), 60 + 4 + 500),
        (Tokens(1001, 0, 1000), 201 + 750),
    ],
)
def test_tokens_cost(tokens: Tokens, micro: int) -> None:
    price = price_list().find(OPENAI, "luna")
    assert price is not None
    assert price.cost(tokens) == micro


def test_list_of_the_layer_has_prices() -> None:
    prices = read_price_list({})
    price = prices.find(OPENAI, "gpt-4o-2024-11-20")
    assert price == Price(2500, 1250, 10_000)
