"""What the model is asked; it has to understand it, and the demo model repeats it."""

from __future__ import annotations

# Long enough to come in pieces and to be cancelled in the middle.
ASKS_FOR_A_WHILE = "Count from one to thirty in words, with one sentence about each number."

VALUE = "42"
ASKS_FOR_A_VALUE = f"Answer with exactly this text and nothing else: [[{VALUE}]]"


def asked(prompt: str) -> list[dict[str, str]]:
    """The messages of a request that asks only this."""
    return [{"role": "user", "content": prompt}]
