"""Serverless Framework variables: `${source:address, fallback, …}` (no I/O).

https://github.com/oss-serverless/osls/tree/main/docs/guides (variables.md)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.errors import UnresolvedVariableError

MAX_DEPTH = 64
"""Maximum depth of expressions within expressions: a circle ends here."""

_SOURCE = re.compile(r"([A-Za-z]+):(.*)", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_FROM_THE_FILE = ("self", "param")
_WORDS: Mapping[str, object] = {"true": True, "false": False, "null": None}

Lookup = Callable[[str], object]


class _Missing:
    """The value of an unknown name."""


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Expression:
    """One `${…}`: its text and its alternatives, which are the source and its fallbacks."""

    text: str
    alternatives: tuple[str, ...]


def split_text(text: str) -> list[str | Expression]:
    """Return the literal parts and expressions in order; an unclosed `${` is literal."""
    parts: list[str | Expression] = []
    start = 0
    while (opening := text.find("${", start)) >= 0:
        alternatives, end = _alternatives(text, opening + 2)
        if not alternatives:
            break
        if opening > start:
            parts.append(text[start:opening])
        parts.append(Expression(text[opening:end], alternatives))
        start = end
    if start < len(text):
        parts.append(text[start:])
    return parts


def _alternatives(text: str, start: int) -> tuple[tuple[str, ...], int]:
    """Return the alternatives of the expression that is open at `start`, and where it ends."""
    found: list[str] = []
    depth, quote = 0, ""
    for index in range(start, len(text)):
        mark = text[index]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        elif mark in ",}" and not depth:
            found.append(text[start:index].strip())
            start = index + 1
            if mark == "}":
                return tuple(found), start
        else:
            depth += {"{": 1, "}": -1}.get(mark, 0)
    return (), start


class Resolver:
    """Replaces the expressions in a value by their values.

    `sources` maps a source's name (`self`, `env`, …) to a lookup that returns MISSING for an
    unknown address. Raises UnresolvedVariableError.
    """

    def __init__(self, sources: Mapping[str, Lookup]) -> None:
        self._sources = sources

    def resolve(self, value: object, place: str, depth: int = 0) -> object:
        """Return `value` with every expression inside it replaced."""
        if depth > MAX_DEPTH:
            raise UnresolvedVariableError(str(value), place, "it refers to itself")
        if isinstance(value, str):
            return self._text(value, place, depth)
        if isinstance(value, dict):
            return {key: self.resolve(item, f"{place}.{key}", depth) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, f"{place}[{n}]", depth) for n, item in enumerate(value)]
        return value

    def _text(self, text: str, place: str, depth: int) -> object:
        parts = split_text(text)
        if len(parts) == 1 and isinstance(parts[0], Expression):
            return self._expression(parts[0], place, depth)
        return "".join(self._piece(part, place, depth) for part in parts)

    def _piece(self, part: str | Expression, place: str, depth: int) -> str:
        if isinstance(part, str):
            return part
        value = self._expression(part, place, depth)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (str, int, float)):
            return str(value)
        raise UnresolvedVariableError(
            part.text, place, "it is part of a text, but its value is not text"
        )

    def _expression(self, expression: Expression, place: str, depth: int) -> object:
        inner: UnresolvedVariableError | None = None
        for alternative in expression.alternatives:
            try:
                value = self._alternative(alternative, place, depth + 1)
            except UnresolvedVariableError as error:
                inner = error
                continue
            # The framework uses the next alternative for null, too.
            if value is not MISSING and value is not None:
                return value
        raise inner or UnresolvedVariableError(expression.text, place, "it has no value")

    def _alternative(self, text: str, place: str, depth: int) -> object:
        if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
            return self.resolve(text[1:-1], place, depth)
        literal = _literal(text)
        if literal is not MISSING:
            return literal
        whole = self._text(text, place, depth)
        if text.startswith("${") or not isinstance(whole, str):
            return whole
        return self._look_up(whole, place, depth)

    def _look_up(self, address: str, place: str, depth: int) -> object:
        match = _SOURCE.fullmatch(address)
        lookup = self._sources.get(match.group(1)) if match else None
        if match is None or lookup is None:
            return MISSING
        found = lookup(match.group(2))
        # A value of the environment is literal: it may hold "${".
        if found is MISSING or match.group(1) not in _FROM_THE_FILE:
            return found
        return self.resolve(found, place, depth)


def _literal(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return MISSING
