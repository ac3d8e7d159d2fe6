"""What every test of the Function URL's gateway asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sluice.url.asking import UrlBench

if TYPE_CHECKING:
    from tests.scripted_upstream import ScriptedUpstream


@pytest.fixture
def bench(upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]) -> UrlBench:
    return UrlBench(upstream, capsys)
