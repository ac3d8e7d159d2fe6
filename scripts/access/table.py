"""Tables for people, in plain text (no I/O)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GAP = "  "
UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Columns of equal width. texts: how many columns, from the left, are not numbers."""
    lines = [head, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def written(cells: Sequence[str]) -> str:
        pairs = enumerate(zip(cells, widths, strict=True))
        placed = [c.ljust(width) if n < texts else c.rjust(width) for n, (c, width) in pairs]
        return GAP.join(placed).rstrip()

    return "".join(f"{written(line)}\n" for line in lines)


def printable(text: str) -> str:
    """A text that clients may have chosen, without what a terminal or an SVG file obeys."""
    return "".join(letter if letter.isprintable() else UNPRINTABLE for letter in text)
