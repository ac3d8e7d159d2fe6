"""Texts that a model wrote piece by piece, as bytes."""

from __future__ import annotations


def utf8(text: str) -> bytes:
    """`text` in UTF-8. Surrogate pairs become their character, single surrogates U+FFFD.

    JSON writes characters above U+FFFF as two escapes, and a provider may send them in two deltas.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
