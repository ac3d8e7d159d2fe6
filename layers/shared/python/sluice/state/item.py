"""What a state store keeps under one key."""

from __future__ import annotations

from collections.abc import Mapping

Item = Mapping[str, str | int]
"""Texts and whole numbers by name, up to 400 KB (DynamoDB's limit). The names "id" and "expires_at"
are the store's own."""
