"""Tests of the local stack may be coroutines: anyio's plugin runs each in its own event loop."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
