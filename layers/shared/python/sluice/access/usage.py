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
EMBEDDED = (
    rb'"\w{0,20}(?:url|data|image|audio|video|b64_json)"\s*:\s*"(?:data:[^",]*,)?[\w+/=\\-]{1000,}"'
)
"""An image, a recording or a file in JSON, in base64. Some clients write slashes as \\/."""
LINKED = rb'"(?:image_url|video_url|file_url|file_id)"\s*:'
EMBEDDED_TOKENS = 1500
"""Tokens of an image or a file. OpenAI's examples of images have 85 to 1,105 tokens:
https://platform.openai.com/docs/guides/images-vision"""
FORM_START = b"--"
FORM_BYTES_PER_TOKEN = 200
"""Bytes of a form with a recording for each token: speech of 16 kbit/s has 10 tokens a second."""
USUAL_OUTPUT_TOKENS = 4096
"""Tokens of an answer whose request sets no limit. Answers rarely have more."""
MAX_TOKENS = 10**9
"""Maximum output that is claimed: DynamoDB takes 38 digits, and no model gives as much."""
OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
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
    output = 0 if path.endswith("/embeddings") else _output_limit(document or {})
    is_form = document is None and body.lstrip().startswith(FORM_START)
    size = _form_tokens(body) if is_form else input_tokens(body)
    return Tokens(size, 0, output, is_estimated=True)


def input_tokens(body: bytes) -> int:
    """About how many tokens a request's JSON has."""
    embedded = [len(found[0]) for found in re.finditer(EMBEDDED, body)]
    number = max(len(embedded), len(re.findall(LINKED, body)))
    return -(-(len(body) - sum(embedded)) // BYTES_PER_TOKEN) + number * EMBEDDED_TOKENS


def output_tokens(answer: bytes) -> int:
    """About how many tokens an answer has, or a piece of one, as JSON or as text."""
    return input_tokens(answer)


def counted_tokens(usage: Mapping[str, int], estimated_input: int = 0) -> Tokens | None:
    """A provider's counts, by name; None where it counts nothing.

    estimated_input: where it counts the output alone.
    """
    given, made, total = (_number(usage, *names) for names in (INPUT, OUTPUT, TOTAL))
    given = given or None  # no request is empty: some servers send zeros for what they do not count
    if given is None and not made:
        return None
    if given is not None and total is None and "input_tokens" in usage:
        given += sum(_number(usage, name) or 0 for name in MORE_INPUT)
    whole = estimated_input if given is None else given
    if given is not None and total is not None:  # some leave what a model thinks out of its output
        made = max(made or 0, total - given)
    cached = min(_number(usage, *CACHED) or 0, whole)
    return Tokens(whole, cached, made or 0, is_estimated=given is None)


def _form_tokens(body: bytes) -> int:
    return EMBEDDED_TOKENS + -(-len(body) // FORM_BYTES_PER_TOKEN)


def _output_limit(document: Mapping[str, Any]) -> int:
    """For all choices together, of which a provider may make more than it gives (best_of)."""
    limit = max(map(_asked, (document.get(name) for name in OUTPUT_LIMITS)))
    choices = max(_asked(document.get("n")), _asked(document.get("best_of")), 1)
    prompts = document.get("prompt")
    if isinstance(prompts, list) and any(type(each) is not int for each in prompts):
        choices *= len(prompts)
    return min((limit or USUAL_OUTPUT_TOKENS) * choices, MAX_TOKENS)


def _asked(number: object) -> int:
    """A number of a request as lenient servers read it, also 10.0 and "10"; 0 for any other."""
    if type(number) not in (int, float, str):
        return 0
    try:
        return int(max(0, min(float(number), MAX_TOKENS)))  # type: ignore[arg-type]  # see above
    except ValueError:  # not a number
        return 0
    except OverflowError:  # larger than any float
        return MAX_TOKENS


def _number(values: Mapping[str, Any], *names: str) -> int | None:
    """The largest: some servers write 0 under the names that they do not use."""
    found = (values.get(name) for name in names)
    return max((n for n in found if type(n) is int and n >= 0), default=None)
