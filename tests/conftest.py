"""Fixtures for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scripted_upstream import ScriptedUpstream, scripted_upstream

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """A model API that does what the test says."""
    with scripted_upstream() as server:
        yield server
