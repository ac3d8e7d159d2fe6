"""A strict reader of the part of Logs Insights' language that our queries use (no I/O).

Nothing here runs a query: AWS has the only engine. What this reader rejects, that engine may take.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"[^\"]*\"|'[^']*')|(?P<pattern>/(?:[^/\\\n]|\\.)+/)|(?P<time>\d+(?:s|m|h|d)\b)"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<name>@?[A-Za-z_][\w.]*)|(?P<sign>!=|<=|>=|[=<>+*/(),|[\]-]))"
)
_FUNCTIONS = {
    "ispresent": (1, 1), "isblank": (1, 1), "coalesce": (1, 9), "strcontains": (2, 2),
    "bin": (1, 1),
}  # fmt: skip
_AGGREGATES = {
    "count": (1, 1), "count_distinct": (1, 1), "sum": (1, 1), "avg": (1, 1), "min": (1, 1),
    "max": (1, 1), "pct": (2, 2), "latest": (1, 1), "earliest": (1, 1),
}  # fmt: skip
"""Functions and aggregate functions, with the least and the greatest number of arguments."""
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
DISCOVERED = frozenset({"@timestamp", "@message", "@log", "@logStream", "@ptr"})
"""Fields that each log event has."""


class InvalidQueryError(ValueError):
    """The query is not in this part of the language."""


@dataclass
class Query:
    """fields: those of log events that the query names. columns: the names that it makes."""

    commands: list[str] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)


def read_query(text: str) -> Query:
    """Return what a query names. Raises InvalidQueryError."""
    return _Reader(text).query()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._found = Query()
        at = 0
        while text[at:].strip():
            token = _TOKEN.match(text, at)
            if token is None:
                raise InvalidQueryError(f"cannot read {text[at : at + 20]!r}")
            self._tokens.append((str(token.lastgroup), token.group().strip()))
            at = token.end()

    def query(self) -> Query:
        commands: dict[str, Callable[[], object]] = {
            "SOURCE": self._text,
            "filter": self._condition,
            "fields": lambda: self._list(self._named),
            "stats": self._stats,
            "sort": self._sort,
            "limit": lambda: self._take("number"),
        }
        while True:
            name = self._take("name")
            if name not in commands:
                raise InvalidQueryError(f"unknown command {name!r}")
            if name == "SOURCE" and {*self._found.commands} - {"SOURCE"}:
                raise InvalidQueryError("SOURCE must come first")
            self._found.commands.append(name)
            commands[name]()
            if not self._tokens:
                return self._found
            self._take("sign", "|")

    def _text(self) -> None:
        self._take("text")

    def _stats(self) -> None:
        self._list(lambda: self._named(is_stats=True))
        if self._skip("name", "by"):
            self._list(self._named)

    def _sort(self) -> None:
        self._column()
        self._skip("name", "asc", "desc")

    def _column(self) -> None:
        """A name that an earlier command made, or a field."""
        name = self._take("name")
        if name not in self._found.columns:
            self._found.fields.add(name)

    def _named(self, *, is_stats: bool = False) -> None:
        self._sum(is_stats=is_stats)
        if self._skip("name", "as"):
            self._found.columns.add(self._take("name"))

    def _list(self, item: Callable[[], object]) -> None:
        item()
        while self._skip("sign", ","):
            item()

    def _condition(self) -> None:
        self._comparison()
        while self._skip("name", "and", "or"):
            self._comparison()

    def _comparison(self) -> None:
        self._skip("name", "not")
        if self._skip("sign", "("):
            self._condition()
            self._take("sign", ")")
            return
        is_call = self._sum()
        if self._skip("name", "like"):
            self._take("pattern")
        elif self._skip("name", "in"):
            self._take("sign", "[")
            self._list(self._value)
            self._take("sign", "]")
        elif self._skip("sign", *_COMPARISONS):
            self._sum()
        elif not is_call:
            raise InvalidQueryError("a condition must compare")

    def _sum(self, *, is_stats: bool = False) -> bool:
        """Read values and the signs between them; return whether it is one call."""
        is_call = self._value(is_stats=is_stats)
        while self._skip("sign", "+", "-", "*", "/"):
            is_call = False
            self._value(is_stats=is_stats)
        return is_call

    def _value(self, *, is_stats: bool = False) -> bool:
        if self._skip("sign", "("):
            self._sum(is_stats=is_stats)
            self._take("sign", ")")
            return False
        kind, text = self._next()
        if kind in ("text", "number", "time"):
            return False
        if kind != "name":
            raise InvalidQueryError(f"expected a value, got {text!r}")
        if not self._skip("sign", "("):
            if text not in self._found.columns:
                self._found.fields.add(text)
            return False
        self._arguments(text, _AGGREGATES if is_stats and text not in _FUNCTIONS else _FUNCTIONS)
        return True

    def _arguments(self, function: str, known: dict[str, tuple[int, int]]) -> None:
        if function not in known:
            raise InvalidQueryError(f"unknown function {function!r}")
        least, greatest = known[function]
        count = 0
        while not self._skip("sign", ")"):
            if count:
                self._take("sign", ",")
            count += 1
            if not (function == "count" and self._skip("sign", "*")):
                self._sum()
        if not least <= count <= greatest:
            raise InvalidQueryError(f"{function} takes {least} to {greatest} values, got {count}")

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise InvalidQueryError("the query ends too early")
        return self._tokens.pop(0)

    def _take(self, kind: str, *texts: str) -> str:
        found, text = self._next()
        if found != kind or (texts and text not in texts):
            raise InvalidQueryError(f"expected {' or '.join(texts) or kind}, got {text!r}")
        return text

    def _skip(self, kind: str, *texts: str) -> bool:
        if self._tokens and self._tokens[0][0] == kind and self._tokens[0][1] in texts:
            self._tokens.pop(0)
            return True
        return False
