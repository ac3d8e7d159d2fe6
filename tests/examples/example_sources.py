"""The functions in examples/, as their authors would upload them."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"

# What streaming_function writes: what comes before the body, and the body, cut as it is sent.
STREAMED_PRELUDE = (
    b'{"statusCode":200,"headers":{"Content-Type":"text/plain; charset=utf-8"}}' + b"\0" * 8
)
STREAMED_WORDS = [b"Each ", b"word ", b"leaves ", b"as ", b"it ", b"is ", b"written.\n"]


def source_of(example: str) -> str:
    return (EXAMPLES / example / "app.py").read_text()
