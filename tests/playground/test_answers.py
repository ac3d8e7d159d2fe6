"""What the page reads out of the provider's JSON, and the figures it makes of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.playground.modules import results_of

PARTS = """
try {
  return found.partsOf(given)
} catch ({ message, code, status }) {
  return { message, code, status }
}
"""
PARTED = [{"text": "H"}, {"text": "i"}]
COUNTS = {"completion_tokens": 3}
NOTHING = {"text": "", "isReasoning": False, "usage": None, "finish": ""}


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        ({"choices": [{"delta": {"content": "Hi"}}]}, {**NOTHING, "text": "Hi"}),
        ({"choices": [{"message": {"content": "Hi"}}]}, {**NOTHING, "text": "Hi"}),
        ({"choices": [{"delta": {"content": PARTED}}]}, {**NOTHING, "text": "Hi"}),
        ({"choices": [{"delta": {"reasoning_content": "hm"}}]}, {**NOTHING, "isReasoning": True}),
        ({"choices": [{"delta": {"content": None, "refusal": "No."}}]}, {**NOTHING, "text": "No."}),
        ({"choices": [{"delta": {}, "finish_reason": "length"}]}, {**NOTHING, "finish": "length"}),
        ({"choices": [], "usage": COUNTS}, {**NOTHING, "usage": COUNTS}),
        ({"choices": [{"delta": None}]}, NOTHING),
        ("text", NOTHING),
        ({"error": {"message": "No.", "code": "c"}}, {"message": "No.", "code": "c", "status": 0}),
        ({"error": {"detail": [{"msg": "No."}]}}, {"message": "No.", "code": "", "status": 0}),
        ({"error": "No."}, {"message": "No.", "code": "", "status": 0}),
    ],
)  # fmt: skip
def test_event_gives_text_counts_or_an_error(document: Any, parts: dict[str, Any]) -> None:
    assert results_of("playground/answer_reader.mjs", PARTS, [document]) == [parts]


FIGURES = """
let now = 100
const measures = new found.Measures(() => now)
for (const [at, text] of given.pieces) { now = 100 + at; measures.piece(text) }
if (given.usage) measures.usage(given.usage)
measures.end()
return measures.figures()
"""


def test_figures_follow_the_clock_and_the_providers_count() -> None:
    pieces = [[50, "one "], [550, "two "], [1050, "three"]]
    cases = [
        {"pieces": pieces},
        {"pieces": pieces, "usage": {"completion_tokens": 11}},
        {"pieces": []},
    ]
    estimated, counted, empty = results_of("playground/measures.mjs", FIGURES, cases)
    assert estimated == {
        "firstMs": 50, "tokens": 3, "isEstimated": True, "perSecond": 2, "totalMs": 1050,
    }  # fmt: skip
    assert (counted["tokens"], counted["perSecond"], counted["isEstimated"]) == (11, 10, False)
    assert "firstMs" not in empty
    assert "perSecond" not in empty
