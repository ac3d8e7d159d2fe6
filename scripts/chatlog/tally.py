"""What became of the lines that a conversion read (no I/O)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

FAILED = "failed or unfinished"
NOT_A_CHAT = "no chats"
NO_PAIR = "without their request or their answer"
NOT_VALID = "not valid for fine-tuning"


@dataclass(slots=True)
class Tally:
    """Counts, filled while the lines pass by."""

    converted: int = 0
    broken: int = 0
    """Lines that could not be read."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Conversations that the target does not take, by reason."""

    def is_nothing_but_broken(self) -> bool:
        return bool(self.broken) and not self.converted and not self.left_out

    def summary(self) -> str:
        """One line for people."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))
        return (
            f"Converted {_counted(self.converted, 'conversation')}."
            + (f" Left out: {reasons}." if reasons else "")
            + (f" {_counted(self.broken, 'line')} could not be read." if self.broken else "")
        )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
