"""What a body asks for, and the one word of it that may be changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.upstream.call import ModelCall, chat_call, model_of

JSON_TYPE = {"content-type": "application/json"}
FORM_TYPE = {"content-type": 'multipart/form-data; charset=x; boundary="b 1"'}
FORM = (
    b"preamble\r\n--b 1\r\n"
    b'Content-Disposition: form-data; name="file"; filename="a; name=model; .wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n"
    b'RIFF\r\nContent-Disposition: form-data; name="model"\r\n\r\nin-the-sound\r\n\x00\xff'
    b"\r\n--b 1\r\n"
    b'content-disposition: form-data; name="model"\r\n\r\n'
    b"whisper-1"
    b"\r\n--b 1--\r\n"
)


def call_of(body: bytes, content_type: str = "application/json") -> ModelCall:
    headers = {"content-type": content_type}
    return ModelCall("POST", "/x", "", headers, body, model_of(headers, body))


@pytest.mark.parametrize(
    ("body", "model"),
    [
        pytest.param(b'{"model": "gpt-4o"}', "gpt-4o", id="named"),
        pytest.param(b' \r\n{"a": {"model": "x"}, "model": "y"}', "y", id="only-the-outermost"),
        pytest.param(b'{"model": "\\u0067pt"}', "gpt", id="escaped"),
        pytest.param(b'{"model": ""}', None, id="empty"),
        pytest.param(b'{"model": 3}', None, id="a-number"),
        pytest.param(b'{"model": "\\ud800"}', None, id="half-a-surrogate-pair"),
        pytest.param(b'{"messages": []}', None, id="none"),
        pytest.param(b'["model"]', None, id="an-array"),
        pytest.param(b'{"model": "gpt', None, id="broken"),
        pytest.param(b'{"model": "\xff"}', None, id="not-utf-8"),
        pytest.param(b'{"a": ' + b"[" * 100_000, None, id="too-deep"),
        pytest.param(b"", None, id="no-body"),
    ],
)
def test_model_of_json(body: bytes, model: str | None) -> None:
    assert model_of(JSON_TYPE, body) == model


def test_model_of_form_is_that_of_its_own_part() -> None:
    assert model_of(FORM_TYPE, FORM) == "whisper-1"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("multipart/form-data", FORM, id="no-boundary"),
        pytest.param('multipart/form-data; boundary="b 2"', FORM, id="another-boundary"),
        pytest.param('multipart/form-data; boundary="b 1"', FORM[:-12], id="cut-off"),
        pytest.param(
            "Multipart/Form-Data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n \r\n--b--',
            id="blank",
        ),
        pytest.param(
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
            + b"m" * 257
            + b"\r\n--b--",
            id="too-long",
        ),
        pytest.param(
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="models"\r\n\r\nx\r\n--b--',
            id="another-field",
        ),
        pytest.param(
            "multipart/form-data; boundary=b",
            b'--b\r\nX: y\r\nContent-Disposition: form-data; name="model"\r\n--b--',
            id="no-content",
        ),
    ],
)
def test_form_that_names_no_model(content_type: str, body: bytes) -> None:
    assert model_of({"content-type": content_type}, body) is None


def test_model_may_stand_behind_other_headers_of_its_part() -> None:
    body = (
        b"--b\r\nX: y\r\nContent-Disposition: form-data; name=model; a=b\r\n\r\ntts-1\r\n--b--\r\n"
    )
    assert model_of({"content-type": "multipart/form-data; boundary=b"}, body) == "tts-1"


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        pytest.param(b'{"model":"a","x":1.10}', b'{"model":"n","x":1.10}', id="first"),
        pytest.param(
            b'\n{ "n" : 1E400 , "model" : "a" }\n',
            b'\n{ "n" : 1E400 , "model" : "n" }\n',
            id="last",
        ),
        pytest.param(b'{"m": {"model": "a"}}', b'{"model": "n", "m": {"model": "a"}}', id="inner"),
        pytest.param(b'{"mod\\u0065l":"a"}', b'{"mod\\u0065l":"n"}', id="escaped-name"),
        pytest.param(b'{"model":1,"model":"b"}', b'{"model":"n","model":"n"}', id="each-of-two"),
        pytest.param(b'{"model":{"a":[1]},"b":2}', b'{"model":"n","b":2}', id="an-object"),
        pytest.param(b"{ }", b'{"model": "n" }', id="no-members"),
        pytest.param(
            '{"a":"é\\n","model":"ü"}'.encode(), '{"a":"é\\n","model":"n"}'.encode(), id="é"
        ),
    ],
)
def test_by_model_changes_the_model_alone(body: bytes, changed: bytes) -> None:
    assert call_of(body).by_model("n").body == changed
    assert call_of(body).by_model("n").model == "n"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(FORM, FORM_TYPE["content-type"], id="a-form"),
        pytest.param(b'{"model":"a"}', "text/plain", id="not-called-json"),
        pytest.param(b'["model"]', "application/json", id="an-array"),
        pytest.param(b'{"model":"a"', "application/json", id="broken"),
        pytest.param(b'{"model":"\xff"}', "application/json", id="not-utf-8"),
        pytest.param(b'{"a":' + b"[" * 100_000, "application/json", id="too-deep"),
        pytest.param(b"", "application/json", id="empty"),
    ],
)
def test_by_model_leaves_what_is_no_json_object(body: bytes, content_type: str) -> None:
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
