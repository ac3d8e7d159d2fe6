"""Which JSON answers become event streams; test_folding has what they become."""

from __future__ import annotations

import json

import pytest

from sluice.completions.unfolding import event_stream
from tests.scripted_upstream import answer_stream
from tests.sluice.completions.test_folding import SAID, STOP


@pytest.mark.parametrize(
    "document",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"choices": []}',
        {"choices": [STOP]},
        {"choices": [{**SAID, "finish_reason": None}]},
        {"choices": [SAID, {**SAID, "index": 2}]},
        {"choices": [SAID, {"index": 1, "text": "a", "finish_reason": "stop"}]},
        {"choices": [SAID], "error": {"message": "x"}},
        {"choices": SAID},
        answer_stream(["a"]).decode(),
        json.dumps({"choices": [SAID]}) * 2,
        {"object": "list", "data": [], "usage": {"total_tokens": 3}},
    ],
    ids=lambda document: str(document)[:40],
)
def test_document_that_is_not_an_answer_is_no_stream(document: object) -> None:
    body = document if isinstance(document, str) else json.dumps(document)
    assert event_stream(body.encode(), includes_usage=True) is None
