"""The environment variables that a request may name as its system prompt (no I/O)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from local.project.lists import entries

_PATTERNS = "PROMPT_TEMPLATES"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_NEVER = re.compile(
    r"(AWS|AZURE|OPENAI|FORWARD|LAMBDA)?_.*|(.*_)?[A-Z]*(KEY|TOKEN|SECRET|PASS|PASSWORD|URL|AUTH|COOKIE)S?(_.*)?"
)


def template_names(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that match PROMPT_TEMPLATES, sorted.

    It is a help for typing: the functions decide, and reject more names that may be secrets.
    """
    patterns = entries(environment.get(_PATTERNS, ""))
    return tuple(
        sorted(
            name
            for name, value in environment.items()
            if value and name != _PATTERNS and _NAME.fullmatch(name)
            if not _NEVER.fullmatch(name.upper())
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        )
    )
