"""Lists in variables: between commas, or as a JSON array (no I/O)."""

from __future__ import annotations

import json


def entries(text: str) -> tuple[str, ...]:
    """Return the entries that are not blank; none of a JSON array that is invalid."""
    if not text.strip().startswith("["):
        return tuple(filter(None, (part.strip() for part in text.split(","))))
    try:
        found = json.loads(text)
    except ValueError:
        return ()  # the functions say what is wrong
    return tuple(filter(None, (str(entry).strip() for entry in found)))
