"""What a request claims before, and what a provider's count says afterwards."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sluice.access.usage import (
    BYTES_PER_TOKEN,
    EMBEDDED_TOKENS,
    MAX_TOKENS,
    USUAL_OUTPUT_TOKENS,
    Tokens,
    claimed_tokens,
    counted_tokens,
    input_tokens,
    output_tokens,
)

EMBEDDINGS = ("/embeddings", "/v1/embeddings")
BASE64 = base64.b64encode(bytes(90_000)).decode()
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
        ({"max_tokens": 0, "n": None}, USUAL_OUTPUT_TOKENS),
        ({"max_tokens": "20", "n": 2.0}, 40),
        ({"max_tokens": [20], "n": "two"}, USUAL_OUTPUT_TOKENS),
        ({"max_tokens": 10**5000, "n": float("inf")}, MAX_TOKENS),
        ({"max_tokens": float("nan")}, USUAL_OUTPUT_TOKENS),
        ({"max_tokens": "9e999"}, MAX_TOKENS),
        ({"max_tokens": "nan"}, USUAL_OUTPUT_TOKENS),
        ({"max_tokens": 9000, "max_completion_tokens": 1}, 9000),
        ({"max_tokens": 10, "n": 2, "best_of": 5}, 50),
        ({"max_tokens": 10, "prompt": ["a", "b", "c"], "n": 2}, 60),
        ({"max_tokens": 10, "prompt": [[1, 2], [3]]}, 20),
        ({"max_tokens": 10, "prompt": [1, 2, 3]}, 10),
        ({"max_tokens": 10, "prompt": []}, 10),
    ],
)
def test_request_claims_the_output_it_allows(fields: dict[str, Any], output: int) -> None:
    body = b"{}"
    claimed = claimed_tokens("/chat/completions", body, fields)
    assert claimed == Tokens(input_tokens(body), 0, output, is_estimated=True)
    assert [claimed_tokens(path, body, fields).output for path in EMBEDDINGS] == [0, 0]


def test_form_claims_less_for_its_bytes_than_json_that_cannot_be_read() -> None:
    claims = [(b"--" + bytes(398), EMBEDDED_TOKENS + 2), (b"{" * 399, 133)]
    for body, size in claims:
        claimed = claimed_tokens("/audio/transcriptions", body, None)
        assert claimed == Tokens(size, 0, USUAL_OUTPUT_TOKENS, is_estimated=True)


@pytest.mark.parametrize(
    "part",
    [
        {"image_url": {"url": f"data:image/png;base64,{BASE64}"}},
        {"image_url": f"data:image/svg+xml;charset=utf-8;base64,{BASE64}"},
        {"input_audio": {"data": BASE64, "format": "wav"}},
        {"file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{BASE64}"}},
        {"image_url": {"url": "https://example.com/a.png"}},
        {"image": {"file_id": "file-1"}},
    ],
    ids=lambda part: str(part)[:50],
)
def test_image_is_not_counted_by_its_bytes(part: dict[str, Any]) -> None:
    body = json.dumps([part, part])
    for written in (body, body.replace("/", "\\/")):
        assert 2 * EMBEDDED_TOKENS < input_tokens(written.encode()) < 2 * EMBEDDED_TOKENS + 90


def test_text_that_looks_like_an_image_is_counted_as_text() -> None:
    for text in (f"data:image/png;base64,{BASE64}", "data: " + "a b " * 30_000):
        message = json.dumps({"role": "user", "content": text}).encode()
        assert input_tokens(message) == -(-len(message) // BYTES_PER_TOKEN)


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
        ({"prompt_tokens": 0, "completion_tokens": 7}, Tokens(11, 0, 7, is_estimated=True)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        (
            {"prompt_tokens": 0, "input_tokens": 5, "completion_tokens": 0, "output_tokens": 7},
            Tokens(5, 0, 7),
        ),
        ({}, None),
        ({"prompt_tokens": "5", "completion_tokens": None}, None),
    ],
)
def test_providers_count_is_read(usage: dict[str, Any], tokens: Tokens | None) -> None:
    assert counted_tokens(usage, estimated_input=11) == tokens


def test_delivered_text_is_estimated() -> None:
    assert [output_tokens(b"a" * size) for size in (0, 1, 3, 4)] == [0, 1, 1, 2]
