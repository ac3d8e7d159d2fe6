"""Lists between commas or as JSON."""

from __future__ import annotations

import pytest

from local.project.lists import entries


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("a", ("a",)),
        (" a, b ,,", ("a", "b")),
        ('["a", " b ", ""]', ("a", "b")),
        ("[]", ()),
        ('["a"', ()),
    ],
)
def test_entries_are_those_that_are_not_blank(text: str, found: tuple[str, ...]) -> None:
    assert entries(text) == found
