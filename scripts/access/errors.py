"""The error of the tools for keys and usage."""

from __future__ import annotations


class ToolError(Exception):
    """A fault that the user can fix: one line that never holds what may be a key."""
