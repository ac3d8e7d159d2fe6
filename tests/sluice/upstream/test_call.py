"""Which model a body names, and the model's replacement, which changes nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.upstream.call import MAX_MODEL_BYTES, ModelCall, chat_call, model_of, model_of_path

JSON = "application/json"
FORM = "multipart/form-data; boundary=b"
FIELD = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
TOO_DEEP = b'{"a": ' + b"[" * 100_000
FORM_WITH_FILE_TYPE = 'multipart/form-data; charset=x; boundary="b 1"'
FORM_WITH_FILE = (
    b"preamble\r\n--b 1\r\n"
    b'Content-Disposition: form-data; name="file"; filename="a; name=model; .wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n"
    b'RIFF\r\nContent-Disposition: form-data; name="model"\r\n\r\nin-the-sound\r\n\x00\xff'
    b"\r\n--b 1\r\n"
    b'content-disposition: form-data; name="model"\r\n\r\n'
    b"whisper-1"
    b"\r\n--b 1--\r\n"
)

MODELS = {
    "named": (JSON, b'{"model": "gpt-4o"}', "gpt-4o"),
    "outer one": (JSON, b' \r\n{"a": {"model": "x"}, "model": "y"}', "y"),
    "escaped": (JSON, b'{"model": "\\u0067pt"}', "gpt"),
    "empty": (JSON, b'{"model": ""}', None),
    "number": (JSON, b'{"model": 3}', None),
    "lone surrogate": (JSON, b'{"model": "\\ud800"}', None),
    "missing": (JSON, b'{"messages": []}', None),
    "array": (JSON, b'["model"]', None),
    "cut off": (JSON, b'{"model": "gpt', None),
    "not UTF-8": (JSON, b'{"model": "\xff"}', None),
    "too deep": (JSON, TOO_DEEP, None),
    "no body": (JSON, b"", None),
    "form with a file": (FORM_WITH_FILE_TYPE, FORM_WITH_FILE, "whisper-1"),
    "form with other headers": (
        FORM,
        b"--b\r\nX: y\r\nContent-Disposition: form-data; name=model; a=b\r\n\r\ntts-1\r\n--b--\r\n",
        "tts-1",
    ),
    "form without a boundary": ("multipart/form-data", FORM_WITH_FILE, None),
    "form of another boundary": ('multipart/form-data; boundary="b 2"', FORM_WITH_FILE, None),
    "form cut off": (FORM_WITH_FILE_TYPE, FORM_WITH_FILE[:-12], None),
    "form with a blank": ("Multipart/Form-Data; boundary=b", FIELD + b" \r\n--b--", None),
    "form with a long name": (FORM, FIELD + b"m" * (MAX_MODEL_BYTES + 1) + b"\r\n--b--", None),
    "form with another field": (FORM, FIELD.replace(b"model", b"models") + b"x\r\n--b--", None),
    "form with the model twice": (FORM, FIELD + b"a\r\n" + FIELD + b"a\r\n--b--", "a"),
    "form with two models": (FORM, FIELD + b"a\r\n" + FIELD + b"b\r\n--b--", None),
    "form without content": (FORM, FIELD.removesuffix(b"\r\n") + b"--b--", None),
}


@pytest.mark.parametrize(("content_type", "body", "model"), MODELS.values(), ids=MODELS)
def test_model_of_a_body(content_type: str, body: bytes, model: str | None) -> None:
    assert model_of({"content-type": content_type}, body) == model


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", "gemini-2.5-pro"),
        ("/v1beta/models/gemini-2.5-pro%3AgenerateContent", "gemini-2.5-pro"),
        ("/v1/projects/p/publishers/google/models/g:predict", "g"),
        ("/model/anthropic.claude-v2%3A1/converse-stream", "anthropic.claude-v2:1"),
        ("/engines/davinci/completions", "davinci"),
        ("/models/gpt-4o", None),
        ("/models/org/model", None),
        ("/chat/completions", None),
    ],
)
def test_model_of_a_path(path: str, model: str | None) -> None:
    assert model_of_path(path) == model


def call_of(body: bytes, content_type: str = JSON) -> ModelCall:
    headers = {"content-type": content_type}
    return ModelCall("POST", "/x", "", headers, body, model_of(headers, body))


CHANGES = {
    "first": (b'{"model":"a","x":1.10}', b'{"model":"n","x":1.10}'),
    "last": (b'\n{ "n" : 1E400 , "model" : "a" }\n', b'\n{ "n" : 1E400 , "model" : "n" }\n'),
    "inner": (b'{"m": {"model": "a"}}', b'{"model": "n", "m": {"model": "a"}}'),
    "escaped name": (b'{"mod\\u0065l":"a"}', b'{"mod\\u0065l":"n"}'),
    "each of two": (b'{"model":1,"model":"b"}', b'{"model":"n","model":"n"}'),
    "object": (b'{"model":{"a":[1]},"b":2}', b'{"model":"n","b":2}'),
    "no members": (b"{ }", b'{"model": "n" }'),
    "not ASCII": ('{"a":"é\\n","model":"ü"}'.encode(), '{"a":"é\\n","model":"n"}'.encode()),
}


@pytest.mark.parametrize(("body", "changed"), CHANGES.values(), ids=CHANGES)
def test_by_model_changes_only_the_model(body: bytes, changed: bytes) -> None:
    call = call_of(body).by_model("n")
    assert (call.body, call.model) == (changed, "n")


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        (b'{"x": true}', b"{}"),
        (b' {"x":1 , "n": 1E400,"x":{"x":[2]}}', b'{"n": 1E400}'),
        ('{"a":0.10,\n"x":1,"b" : {"x": "é"} }'.encode(), '{"a":0.10, "b" : {"x": "é"}}'.encode()),
    ],
)
def test_without_member_leaves_the_others_as_they_are(body: bytes, rest: bytes) -> None:
    assert call_of(body).without_member("x").body == rest


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(FORM_WITH_FILE, FORM_WITH_FILE_TYPE, id="form"),
        pytest.param(b'{"model":"a"}', "text/plain", id="text"),
        pytest.param(b'["model"]', JSON, id="array"),
        pytest.param(b'{"model":"a"', JSON, id="cut off"),
        pytest.param(b'{"model":"\xff"}', JSON, id="not UTF-8"),
        pytest.param(TOO_DEEP, JSON, id="too deep"),
        pytest.param(b"", JSON, id="empty"),
    ],
)
def test_by_model_returns_the_same_call_unless_its_body_is_a_json_object(
    body: bytes, content_type: str
) -> None:
    call = call_of(body, content_type)
    assert call.by_model("n") is call


@given(
    st.dictionaries(
        st.text(max_size=3) | st.just("model"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.sampled_from([None, 0, 2]),
)
def test_by_model_of_any_object(
    document: dict[str, object], model: str, indent: int | None
) -> None:
    call = call_of(json.dumps(document, indent=indent).encode())
    assert json.loads(call.by_model(model).body) == {**document, "model": model}


def test_chat_call_is_a_post_of_json() -> None:
    call = chat_call(b'{"model":"a"}')
    assert (call.method, call.path, call.query) == ("POST", "/chat/completions", "")
    assert (call.is_json, call.model) == (True, "a")
    assert chat_call(b"{}", "b").model == "b"
