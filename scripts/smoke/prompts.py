"""What the model is asked; it has to understand it, and the demo model repeats it."""

from __future__ import annotations

# Long enough to come in pieces.
ASKS_FOR_A_WHILE = "Count from one to thirty in words, with one sentence about each number."

# Not over when it is cancelled: the demo model, which repeats it, needs seconds for so many words.
ASKS_FOR_MINUTES = "Count from one to ten thousand in words." + " Do not stop." * 60

VALUE = "42"
ASKS_FOR_A_VALUE = f"Answer with exactly this text and nothing else: [[{VALUE}]]"


def asked(prompt: str) -> list[dict[str, str]]:
    """The messages of a request that asks only this."""
    return [{"role": "user", "content": prompt}]
