"""What a parser of a setting's value raises."""

from __future__ import annotations


class InvalidValue(ValueError):
    """A value that a setting cannot have. got: what to quote of it; empty if it may be secret."""

    def __init__(self, rule: str, got: str = "", hint: str = "") -> None:
        super().__init__(rule)
        self.rule, self.got, self.hint = rule, got, hint
