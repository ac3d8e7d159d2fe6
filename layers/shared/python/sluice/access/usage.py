"""What a request has used: the provider's count, or an estimate where it gives none (no I/O)."""

from __future__ import annotations

import re

from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

BYTES_PER_TOKEN = 3
"""Bytes of a request's JSON for each token: English has 4 bytes a token and Chinese 3, by OpenAI's
tokenizers."""
EMBEDDED = rb'data:[\w/+.\\-]+;base64,[^"]*'
"""PHP writes the slash of a media type with a backslash."""
EMBEDDED_TOKENS = 1500
"""Tokens of an image or a file. OpenAI's examples of images have 85 to 1,105 tokens:
https://platform.openai.com/docs/guides/images-vision"""
USUAL_OUTPUT_TOKENS = 4096
"""Tokens of an answer whose request sets no limit. Answers rarely have more."""
OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
ANSWERS = ("n", "best_of")
"""Members that multiply the answers to a prompt: those that are returned, and all that are made."""
MAX_NUMBER = 10**9
"""Largest number in a request that counts: DynamoDB takes 38 digits, and a few are multiplied."""
INPUT = ("prompt_tokens", "input_tokens", "promptTokenCount")
"""Counts of chat completions, completions and embeddings; of responses, images, audio and
Anthropic's API; of Gemini's."""
OUTPUT = ("completion_tokens", "output_tokens", "candidatesTokenCount")
TOTAL = ("total_tokens", "totalTokenCount")
MORE_INPUT = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""Anthropic's API does not count them in its input_tokens, and has no total."""
CACHED = (
    "cached_tokens",
    "cache_read_input_tokens",
    "prompt_cache_hit_tokens",
    "cachedContentTokenCount",
)
"""Counts of OpenAI's API, Anthropic's, DeepSeek's and Gemini's."""


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


def counted_tokens(usage: Mapping[str, int], estimated_input: int = 0) -> Tokens | None:
    """A provider's counts, by name; None where it counts nothing.

    estimated_input: where it counts the output alone.
    """
    given, made, total = (_number(usage, *names) for names in (INPUT, OUTPUT, TOTAL))
    if given is None and made is None:
        return None
    if given is not None and total is None and "input_tokens" in usage:
        given += sum(_number(usage, name) or 0 for name in MORE_INPUT)
    whole = estimated_input if given is None else given
    if given is not None and total is not None:  # some leave what a model thinks out of its output
        made = max(made or 0, total - given)
    cached = min(_number(usage, *CACHED) or 0, whole)
    return Tokens(whole, cached, made or 0, is_estimated=given is None)


def _output_limit(document: Mapping[str, Any]) -> int:
    prompt = document.get("prompt")
    is_list = isinstance(prompt, list) and prompt and not isinstance(prompt[0], int)  # of tokens
    prompts = len(prompt or ()) if is_list else 1
    limit = _largest(document, OUTPUT_LIMITS, USUAL_OUTPUT_TOKENS)
    return limit * max(_largest(document, ANSWERS, 1), 1) * prompts


def _largest(document: Mapping[str, Any], names: tuple[str, ...], default: int) -> int:
    """The largest of these members: providers differ in which one they obey, and take 10.0."""
    found: Iterator[Any] = (document.get(name) for name in names)
    numbers = [min(n, MAX_NUMBER) for n in found if type(n) in (int, float) and n >= 0]
    return int(max(numbers, default=default))


def _number(values: Mapping[str, Any], *names: str) -> int | None:
    found = (values.get(name) for name in names)
    return next((n for n in found if type(n) is int and n >= 0), None)
