from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sluice.completions.answer_bench import AnswerBench

if TYPE_CHECKING:
    from tests.scripted_upstream import ScriptedUpstream


@pytest.fixture
def bench(upstream: ScriptedUpstream) -> AnswerBench:
    return AnswerBench(upstream)
