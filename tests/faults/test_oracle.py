"""The oracle names what is wrong with an answer, and nothing else."""

from __future__ import annotations

import pytest

from tests.faults.oracle import Answer, End, Seen, Verdict, judge

ANSWER = Answer(number=7, length=4, padding=2)
A, B, C, D = ANSWER.parts
OTHER = Answer(number=8, length=4, padding=2).part(2)


@pytest.mark.parametrize(
    ("text", "end", "verdict"),
    [
        (A + B + C + D, End.MARK, Verdict.WHOLE),
        (A + B + C + D, End.ERROR, Verdict.REPORTED),
        (A + B, End.ERROR, Verdict.REPORTED),
        (A + B[:3], End.ERROR, Verdict.REPORTED),
        ("", End.ERROR, Verdict.REPORTED),
        (A, End.OWN, Verdict.LEFT),
        ("", End.MARK, Verdict.LOST),
        (A + B + C, End.MARK, Verdict.LOST),
        (A + C, End.ERROR, Verdict.LOST),
        (A + C + D, End.MARK, Verdict.LOST),
        (A + B[:3] + C, End.ERROR, Verdict.LOST),
        ("words" + A, End.ERROR, Verdict.LOST),
        (A + C + B + D, End.MARK, Verdict.REORDERED),
        (A + B + B + C + D, End.MARK, Verdict.DOUBLED),
        (A + B + C + D + A, End.ERROR, Verdict.DOUBLED),
        (A + B + OTHER, End.MARK, Verdict.FOREIGN),
        (A + B + C + D, End.NOTHING, Verdict.SILENT),
        ("", End.NOTHING, Verdict.SILENT),
    ],
)
def test_verdict_follows_from_text_and_end(text: str, end: End, verdict: Verdict) -> None:
    assert judge(ANSWER, Seen(text, end)) is verdict


@pytest.mark.parametrize(
    ("seq", "verdict"),
    [
        ([0, 1, 2], Verdict.WHOLE),
        ([0, 2, 3], Verdict.LOST),
        ([1, 2], Verdict.LOST),
        ([0, 2, 1], Verdict.REORDERED),
        ([0, 1, 1, 2], Verdict.DOUBLED),
    ],
)
def test_numbers_of_frames_count_even_if_the_text_is_whole(
    seq: list[int], verdict: Verdict
) -> None:
    assert judge(ANSWER, Seen(ANSWER.text, End.MARK, seq)) is verdict
