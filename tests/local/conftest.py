"""Tests of the local stack may be coroutines: anyio's plugin runs each in its own event loop."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Return the event loop that coroutine tests run in."""
    return "asyncio"
