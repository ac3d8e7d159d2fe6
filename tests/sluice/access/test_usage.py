"""What a request claims before, and what a provider's count says afterwards."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sluice.access.usage import (
    EMBEDDED_TOKENS,
    USUAL_OUTPUT_TOKENS,
    Tokens,
    claimed_tokens,
    counted_tokens,
    input_tokens,
    output_tokens,
)

ANTHROPICS = {
    "input_tokens": 5,
    "cache_read_input_tokens": 3,
    "cache_creation_input_tokens": 2,
    "output_tokens": 7,
}
GEMINIS = {
    "promptTokenCount": 9,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 2,
    "totalTokenCount": 16,
}


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, USUAL_OUTPUT_TOKENS),
        ({"max_tokens": 10}, 10),
        ({"max_tokens": 10, "max_completion_tokens": 20}, 20),
        ({"max_output_tokens": 30}, 30),
        ({"max_tokens": 10, "n": 3}, 30),
        ({"max_tokens": "many", "n": True}, USUAL_OUTPUT_TOKENS),
        ({"max_tokens": -1, "n": -1}, USUAL_OUTPUT_TOKENS),
        ({"max_tokens": 20, "max_completion_tokens": 10}, 20),
        ({"max_tokens": 1e3, "n": 0}, 1000),
        ({"max_tokens": 10**5000, "n": float("inf")}, 10**18),
        ({"max_tokens": float("nan")}, USUAL_OUTPUT_TOKENS),
        ({"max_tokens": 10, "n": 2, "best_of": 3, "prompt": ["a", "b"]}, 60),
        ({"max_tokens": 10, "prompt": [[7, 8], [9]]}, 20),
        ({"max_tokens": 10, "prompt": [7, 8, 9]}, 10),
        ({"max_tokens": 10, "prompt": []}, 10),
    ],
)
def test_request_claims_the_output_it_allows(fields: dict[str, Any], output: int) -> None:
    body = b"{}"
    claimed = claimed_tokens("/chat/completions", body, fields)
    assert claimed == Tokens(input_tokens(body), 0, output, is_estimated=True)
    assert claimed_tokens("/embeddings", body, fields).output == 0


def test_body_that_is_no_json_claims_the_usual_output() -> None:
    assert claimed_tokens("/audio", b"xyz", None) == Tokens(1, 0, USUAL_OUTPUT_TOKENS, True)  # noqa: FBT003


def test_image_is_not_counted_by_its_bytes() -> None:
    image = f"data:image/png;base64,{base64.b64encode(bytes(90_000)).decode()}"
    text = json.dumps({"a": image, "b": image, "c": "data: no image"})
    for body in (text.encode(), text.replace("/", "\\/").encode()):
        assert 2 * EMBEDDED_TOKENS < input_tokens(body) < 2 * EMBEDDED_TOKENS + 30


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}, Tokens(5, 0, 7)),
        ({"input_tokens": 5, "output_tokens": 7}, Tokens(5, 0, 7)),
        ({"prompt_tokens": 5}, Tokens(5, 0, 0)),
        ({"prompt_tokens": 5, "cached_tokens": 4}, Tokens(5, 4, 0)),
        ({"input_tokens": 5, "cached_tokens": 9, "total_tokens": 5}, Tokens(5, 5, 0)),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 3}, Tokens(5, 3, 0)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 99}, Tokens(5, 0, 94)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 9}, Tokens(5, 0, 7)),
        (ANTHROPICS, Tokens(5 + 3 + 2, 3, 7)),
        ({**ANTHROPICS, "total_tokens": 12}, Tokens(5, 3, 7)),
        (GEMINIS, Tokens(9, 4, 7)),
        ({"completion_tokens": 7, "prompt_tokens": -1}, Tokens(11, 0, 7, is_estimated=True)),
        ({}, None),
        ({"prompt_tokens": "5", "completion_tokens": None}, None),
    ],
)
def test_providers_count_is_read(usage: dict[str, Any], tokens: Tokens | None) -> None:
    assert counted_tokens(usage, estimated_input=11) == tokens


def test_delivered_text_is_estimated() -> None:
    assert [output_tokens(size) for size in (0, 1, 3, 4)] == [0, 1, 1, 2]
