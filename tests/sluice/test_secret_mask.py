"""Keys are masked wherever their bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.secret_mask import SecretMask
from sluice.setting_values import MIN_SECRET_CHARACTERS

SECRET = "sk-secret-0123456789"


@given(
    st.lists(
        st.sampled_from([SECRET, f"{SECRET}-longer", "-longer", "sk-", " ", "sk-secret-012345678"])
    ).map("".join),
    st.lists(st.integers(0, 200)),
)
def test_secret_is_masked_however_it_is_cut(text: str, cuts: list[int]) -> None:
    data = text.encode()
    marks = [0, *sorted(cuts), len(data)]
    chunks = [data[start:end] for start, end in pairwise(marks)]
    secrets = [SECRET, "fk-another-key", f"{SECRET}-longer"]
    whole = data.replace(f"{SECRET}-longer".encode(), b"[key]").replace(SECRET.encode(), b"[key]")
    assert b"".join(SecretMask(secrets).stream(chunks)) == whole


@pytest.mark.parametrize("secrets", [[], [SECRET], ["demo"]])
def test_chunk_without_any_part_of_a_secret_is_passed_at_once_and_not_copied(
    secrets: list[str],
) -> None:
    chunk = b'data: {"text": "demo"}\n\n'
    assert next(SecretMask(secrets).stream(iter([chunk, b"more"]))) is chunk


def test_words_of_short_keys_stay_and_every_forward_key_is_masked() -> None:
    short = "EMPTY", "ollama", "sk-local", "17951823", "of-15-signs-abc"
    text = f'{{"created":1795182321,"text":"{" ".join(short)}"}}'.encode()
    assert SecretMask(short).apply(text) is text
    shortest = "a" * MIN_SECRET_CHARACTERS
    assert SecretMask([shortest]).apply(shortest.encode()) == b"[key]"


def test_text_without_a_secret_is_the_same_object() -> None:
    text = b"nothing here"
    assert SecretMask([SECRET]).apply(text) is text
