"""Texts whose characters came in halves."""

from __future__ import annotations

from sluice.text import utf8


def test_surrogates_become_characters_or_are_replaced() -> None:
    for text, encoded in (
        ("a\u20ac\U0001f600", "a\u20ac\U0001f600"),
        ("\ud83d\ude00", "\U0001f600"),
        ("a\ud83db", "a\ufffdb"),  # the first half of a pair alone
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
    ):
        assert utf8(text) == encoded.encode()
