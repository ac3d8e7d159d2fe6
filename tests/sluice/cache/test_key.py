"""Which requests share an answer, and which never do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.cache.key import Place, answer_key, may_be_kept, read_document

PLACE = Place(
    is_verbatim=False,
    provider="openai",
    base_url="https://api.openai.com/v1",
    path="/chat/completions",
    query="",
    headers={},
)
ASKED = {
    "model": "gpt-6-luna",
    "messages": [{"role": "user", "content": "Hi"}],
    "temperature": 0.5,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1, "b": 2}}}],
}


def key_of(document: dict[str, Any], scope: str = "key ann", **place: Any) -> str:
    key = answer_key(scope, PLACE._replace(**place), document)
    assert key is not None
    return key


@pytest.mark.parametrize(
    "other",
    [
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"user": "u-1"},
        {"metadata": {"trace": "7"}},
    ],
    ids=" ".join,
)
def test_members_that_do_not_change_an_answer_do_not_change_its_key(other: dict[str, Any]) -> None:
    assert key_of({**ASKED, **other}) == key_of(ASKED)


def test_order_and_blanks_do_not_change_the_key() -> None:
    shuffled = json.dumps(dict(reversed(ASKED.items())), indent=3)
    document = read_document(shuffled.encode())
    assert document is not None
    assert key_of(document) == key_of(ASKED)


def test_whatever_may_change_an_answer_changes_its_key() -> None:
    keys = [
        key_of(ASKED),
        key_of(ASKED, scope="key bob"),
        key_of(ASKED, scope=""),
        key_of(ASKED, provider="azure"),
        key_of(ASKED, is_verbatim=True),
        key_of(ASKED, base_url="https://example.com/v1"),
        key_of(ASKED, path="/completions"),
        key_of(ASKED, query="api-version=1"),
        key_of(ASKED, headers={"openai-beta": "assistants=v2"}),
        key_of(ASKED, headers={"x-amzn-bedrock-guardrailidentifier": "g"}),
        key_of(ASKED, headers={"x-portkey-config": "c"}),
        key_of(ASKED, headers={"content-type": "application/json; charset=utf-16"}),
        key_of({**ASKED, "model": "gpt-6-sol"}),
        key_of({**ASKED, "temperature": 0.6}),
        key_of({**ASKED, "seed": 1}),
        key_of({**ASKED, "n": 2}),
        key_of({**ASKED, "unheard_of": None}),
        key_of({**ASKED, "messages": [{"role": "user", "content": "Hi "}]}),
        key_of({**ASKED, "messages": [{"role": "system", "content": "Hi"}]}),
    ]
    assert len(set(keys)) == len(keys)


def test_headers_of_the_way_do_not_change_the_key() -> None:
    names = ("user-agent", "x-stainless-retry-count", "traceparent", "idempotency-key")
    headers = dict.fromkeys(names, "1")
    assert key_of(ASKED, headers=headers) == key_of(ASKED)


def test_key_tells_nothing_of_what_was_asked() -> None:
    assert len(key_of(ASKED)) == 64
    assert set(key_of(ASKED)) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        b'{"temperature": NaN}',
        b'{"temperature": -Infinity}',
        b'{"model": "a", "model": "b"}',
        b'{"messages": [{"content": "good", "content": "evil"}]}',
        b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
        b"\xff\xfe{\x00}\x00",
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
    ids=[
        "nothing", "an array", "a text", "half", "NaN", "infinity", "two models",
        "two contents", "deep", "UTF-16", "a number of 5,000 digits",
    ],
)  # fmt: skip
def test_body_that_can_be_read_in_two_ways_has_no_key(body: bytes) -> None:
    assert read_document(body) is None


def test_deep_body_has_a_key_or_none_and_never_fails() -> None:
    keys = []
    for depth in (*range(900, 1100), 10_000):
        document = read_document(b'{"a": ' * depth + b"1" + b"}" * depth)
        keys.append(document and answer_key("", PLACE, document))
    assert keys[0] is not None
    assert keys[-1] is None


def test_answer_that_depends_on_the_providers_state_is_not_kept() -> None:
    assert may_be_kept(ASKED)
    assert may_be_kept({**ASKED, "store": False, "previous_response_id": None})
    for name in ("store", "background", "previous_response_id", "conversation"):
        assert not may_be_kept({**ASKED, name: "x"})


def test_answer_in_an_unknown_form_is_not_kept() -> None:
    for stream in (True, False, None):
        assert may_be_kept({**ASKED, "stream": stream})
    for unknown in (1, 0, "true", "false"):
        assert not may_be_kept({**ASKED, "stream": unknown})
