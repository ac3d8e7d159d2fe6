"""What a request has used: the provider's count, or an estimate where it gives none (no I/O)."""

from __future__ import annotations

import re

from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

BYTES_PER_TOKEN = 3
"""Bytes of a request's JSON for each token: English has 4 bytes a token and Chinese 3, by OpenAI's
tokenizers."""
EMBEDDED = rb'data:[\w/+.-]+;base64,[^"]*'
EMBEDDED_TOKENS = 1500
"""Tokens of an image or a file. OpenAI's examples of images have 85 to 1,105 tokens:
https://platform.openai.com/docs/guides/images-vision"""
USUAL_OUTPUT_TOKENS = 4096
"""Tokens of an answer whose request sets no limit. Answers rarely have more."""
OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


class Tokens(NamedTuple):
    """cached: those of `input` that cost less. is_estimated: the provider did not count them."""

    input: int
    cached: int
    output: int
    is_estimated: bool = False

    @property
    def total(self) -> int:
        return self.input + self.output


class Savings(NamedTuple):
    """What an answer from the cache saved. micro_usd: 0 for a model whose price is unknown."""

    tokens: int
    micro_usd: int


def claimed_tokens(path: str, body: bytes, document: Mapping[str, Any] | None) -> Tokens:
    """The most that a request is expected to use.

    body: as it goes to the provider. document: the same as JSON, None where it is none.
    """
    output = 0 if path == "/embeddings" else _output_limit(document or {})
    return Tokens(input_tokens(body), 0, output, is_estimated=True)


def input_tokens(body: bytes) -> int:
    """About how many tokens a request's JSON has."""
    embedded = [len(found[0]) for found in re.finditer(EMBEDDED, body)]
    text = len(body) - sum(embedded)
    return -(-text // BYTES_PER_TOKEN) + len(embedded) * EMBEDDED_TOKENS


def output_tokens(delivered: int) -> int:
    """About how many tokens an answer's text of so many bytes has."""
    return -(-delivered // BYTES_PER_TOKEN)


def counted_tokens(usage: Mapping[str, Any]) -> Tokens | None:
    """A provider's `usage` object; None where it counts nothing.

    Of chat completions, completions and embeddings: prompt_tokens and completion_tokens. Of
    responses, images and audio: input_tokens and output_tokens.
    """
    given = _number(usage, "prompt_tokens", "input_tokens")
    made = _number(usage, "completion_tokens", "output_tokens")
    if given is None and made is None:
        return None
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached = _number(details, "cached_tokens") if isinstance(details, dict) else 0
    return Tokens(given or 0, min(cached or 0, given or 0), made or 0)


def _output_limit(document: Mapping[str, Any]) -> int:
    limit = _number(document, *OUTPUT_LIMITS)
    choices = max(_number(document, "n") or 1, 1)
    return (USUAL_OUTPUT_TOKENS if limit is None else limit) * choices


def _number(values: Mapping[str, Any], *names: str) -> int | None:
    found = (values.get(name) for name in names)
    return next((n for n in found if type(n) is int and n >= 0), None)
