"""The provider's whole API through the gateway: bytes in, bytes out, and nobody's secrets."""

from __future__ import annotations

import json

import pytest

from sluice.url.gateway import MAX_BODY_BYTES
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    ScriptedUpstream,
    answer_stream,
    chunk,
    refused_url,
    sends,
    sse,
)
from tests.sluice.url.asking import HELLO, SECRET, ask

JSON = "application/json"
FORM = "multipart/form-data; boundary=b0undary"
EVERY_BYTE = bytes(range(256)) * 4
UPLOAD = (
    b'--b0undary\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--b0undary\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    + EVERY_BYTE
    + b"\r\n--b0undary--\r\n"
)
CHAT = b'{ "model":"m",  "messages":[], "stream":true, "n": 1.0 }'
LOCK = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": "fk-1234567890"}
AZURE = {
    "AZURE_OPENAI_APIVERSION": "2024-10-21",
    "AZURE_OPENAI_MODEL_MAPPER": "gpt-4=my-gpt4",
}


def root_of(upstream: ScriptedUpstream) -> str:
    return upstream.url.removesuffix("/v1")


@pytest.mark.parametrize(
    ("method", "path", "content_type", "body", "answer_type", "answer"),
    [
        ("POST", "/v1/chat/completions", JSON, CHAT, JSON, b'{"choices": []}'),
        ("POST", "/v1/completions", JSON, b'{"model":"m","prompt":"x"}', JSON, b"{}"),
        ("POST", "/v1/responses", JSON, b'{"model":"m","input":"x"}', JSON, b"{}"),
        ("GET", "/v1/responses/resp_1/input_items", JSON, None, JSON, b"{}"),
        ("POST", "/v1/responses/resp_1/cancel", JSON, b"", JSON, b"{}"),
        ("POST", "/v1/embeddings", JSON, b'{"input":"x","model":"e"}', JSON, b'{"data":[]}'),
        ("GET", "/v1/models", JSON, None, JSON, b'{"data":[]}'),
        ("GET", "/v1/models/ft:gpt-4o:acme::id", JSON, None, JSON, b"{}"),
        ("DELETE", "/v1/models/ft:gpt-4o:acme::id", JSON, None, JSON, b'{"deleted":true}'),
        ("POST", "/v1/images/generations", JSON, b'{"prompt":"x"}', JSON, b'{"data":[]}'),
        ("POST", "/v1/images/edits", FORM, UPLOAD, JSON, b"{}"),
        ("POST", "/v1/audio/transcriptions", FORM, UPLOAD, "text/plain", b"Hello.\n"),
        ("POST", "/v1/audio/speech", JSON, b'{"input":"x"}', "audio/mpeg", EVERY_BYTE),
        ("POST", "/v1/files", FORM, UPLOAD, JSON, b'{"id":"file-1"}'),
        ("GET", "/v1/files/file-1/content", JSON, None, "application/octet-stream", EVERY_BYTE),
        ("PUT", "/v1/uploads/u-1/parts/2", "application/octet-stream", EVERY_BYTE, JSON, b"{}"),
        ("PATCH", "/v1/threads/t", "application/merge-patch+json", b'{"a":null}', JSON, b"{}"),
        ("POST", "/v1/moderations", JSON, b'{"input":"x"}', JSON, b"{}"),
        ("POST", "/v1/batches", JSON, b'{"input_file_id":"file-1"}', JSON, b"{}"),
        ("POST", "/v1/what/comes/next", "image/png", EVERY_BYTE, "image/webp", EVERY_BYTE),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_request_and_answer_are_the_same_bytes(
    upstream: ScriptedUpstream,
    method: str,
    path: str,
    content_type: str,
    body: bytes | None,
    answer_type: str,
    answer: bytes,
) -> None:
    upstream.script = sends(answer, answer_type)
    reply = ask(upstream.url, method, path, body, headers={"content-type": content_type})
    (asked,) = upstream.requests
    assert (asked.method, asked.target, asked.body) == (method, path, body or b"")
    assert asked.headers["content-type"] == content_type
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert (reply.metadata["statusCode"], reply.body) == (200, answer)
    assert reply.metadata["headers"] == {"content-type": answer_type}


@pytest.mark.parametrize(
    "query",
    [
        "limit=2&after=file-1&order=desc",
        "b=2&a=1",
        "flag",
        "a=&=b&&c",
        "q=a%20b+c%2Fd%26",
        "a=1&a=2",
    ],
)
def test_query_goes_on_as_it_was_sent(upstream: ScriptedUpstream, query: str) -> None:
    upstream.script = sends(b"{}", JSON)
    ask(upstream.url, path="/v1/files", raw_query=query)
    assert upstream.requests[0].target == f"/v1/files?{query}"


def test_head_asks_for_the_head_and_is_told_it(upstream: ScriptedUpstream) -> None:
    upstream.script = sends(EVERY_BYTE, "audio/mpeg", etag='"e"')
    reply = ask(upstream.url, "HEAD", "/v1/files/file-1/content")
    assert upstream.requests[0].method == "HEAD"
    assert reply.metadata["statusCode"] == 200
    assert reply.metadata["headers"] == {"content-type": "audio/mpeg", "etag": '"e"'}


def test_head_of_unknown_length_is_a_head(upstream: ScriptedUpstream) -> None:
    upstream.script = lambda _request, connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n"
    )
    assert ask(upstream.url, "HEAD", "/v1/files/f/content").metadata["statusCode"] == 200


@pytest.mark.parametrize("path", ["/v1/responses/resp_1", "/v1/chat/completions"])
def test_stream_without_an_event_is_no_answer(upstream: ScriptedUpstream, path: str) -> None:
    upstream.script = sends(b"", "text/event-stream")
    reply = ask(upstream.url, path=path, raw_query="stream=true")
    assert (reply.metadata["statusCode"], reply.error["code"]) == (502, "upstream_incomplete")


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT"])
def test_answer_without_a_body_becomes_an_empty_line(
    upstream: ScriptedUpstream, method: str
) -> None:
    upstream.script = lambda _request, connection: connection.sendall(
        b"HTTP/1.1 204 No Content\r\nx-request-id: u-1\r\n\r\n"
    )
    reply = ask(upstream.url, method, "/v1/containers/c-1", b"{}")
    assert (reply.metadata["statusCode"], reply.body) == (200, b"\n")
    assert reply.metadata["headers"] == {"x-request-id": "u-1"}


def test_status_of_a_success_is_the_upstreams(upstream: ScriptedUpstream) -> None:
    upstream.script = sends(
        EVERY_BYTE,
        status=206,
        content_range="bytes 0-1023/2048",
        content_disposition="attachment",
    )
    reply = ask(upstream.url, path="/v1/files/f/content", headers={"range": "bytes=0-1023"})
    assert upstream.requests[0].headers["range"] == "bytes=0-1023"
    assert reply.metadata["statusCode"] == 206
    assert reply.metadata["headers"]["content-range"] == "bytes 0-1023/2048"
    assert reply.metadata["headers"]["content-disposition"] == "attachment"


def test_secrets_of_the_client_stay_here(upstream: ScriptedUpstream) -> None:
    headers = {
        "authorization": f"Bearer {LOCK['FORWARD_KEY']}",
        "api-key": LOCK["FORWARD_KEY"],
        "x-api-key": LOCK["FORWARD_KEY"],
        "cookie": "session=private",
        "host": "abc.lambda-url.us-east-1.on.aws",
        "x-amz-security-token": "private",
        "x-amzn-trace-id": "private",
        "x-forwarded-for": "192.0.2.7",
        "origin": "https://private.example",
    }
    ask(upstream.url, "POST", "/v1/chat/completions", CHAT, headers=headers, settings=LOCK)
    ask(upstream.url, path="/v1/models", headers=headers, settings=LOCK)
    for asked in upstream.requests:
        told = json.dumps(asked.headers)
        assert not any(part in told for part in (LOCK["FORWARD_KEY"], "private", "192.0.2.7"))
        assert asked.headers["host"] == root_of(upstream).removeprefix("http://")
        assert asked.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("value", ["Größe", "語", "\udcff\udce9"])
def test_header_with_letters_of_any_kind_goes_on(upstream: ScriptedUpstream, value: str) -> None:
    reply = ask(upstream.url, path="/v1/models", headers={"x-title": value})
    assert reply.metadata["statusCode"] == 200
    (asked,) = upstream.requests
    assert asked.headers["x-title"] == value


@pytest.mark.parametrize("value", ["", " ", " v", "\tv ", "\x0bv"])
def test_blanks_around_a_header_are_no_reason_to_refuse_it(
    upstream: ScriptedUpstream, value: str
) -> None:
    reply = ask(upstream.url, path="/v1/models", headers={"x-title": value})
    assert reply.metadata["statusCode"] == 200
    assert upstream.requests[0].headers["x-title"] == value.strip()


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/files"), ("GET", "/v1/models"), ("DELETE", "/v1/files/f"), ("HEAD", "/v1/x")],
)
def test_unknown_key_is_401_whatever_is_asked(
    upstream: ScriptedUpstream, method: str, path: str
) -> None:
    headers = {"authorization": f"Bearer {SECRET}"}  # the provider's key is no key of ours
    reply = ask(upstream.url, method, path, b"{}", headers=headers, settings=LOCK)
    assert (reply.metadata["statusCode"], reply.error["code"]) == (401, "invalid_api_key")
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/", "/v1/chat/completions", "/v1/files"])
def test_body_that_lambda_would_not_take_is_413_and_asks_nobody(
    upstream: ScriptedUpstream, path: str
) -> None:
    reply = ask(upstream.url, "POST", path, b" " * (MAX_BODY_BYTES + 1))
    assert (reply.metadata["statusCode"], reply.error["code"]) == (413, "body_too_large")
    assert upstream.requests == []


def test_largest_body_goes_on(upstream: ScriptedUpstream) -> None:
    body = b"x" * MAX_BODY_BYTES
    headers = {"content-type": "application/octet-stream"}
    assert ask(upstream.url, "POST", "/v1/files", body, headers=headers).body
    assert upstream.requests[0].body == body


@pytest.mark.parametrize(
    "path", ["/v2/models", "/chat/completions", "/v1/../admin", "/favicon.ico"]
)
def test_path_of_nothing_is_404_with_those_there_are(path: str) -> None:
    extra = {"EXTRA_BASE_URL": "https://x.example", "EXTRA_ROUTE_PREFIX": "/extra"}
    reply = ask(refused_url(), "POST", path, {}, settings=extra)
    assert (reply.metadata["statusCode"], reply.error["code"]) == (404, "unknown_path")
    for there in ("/healthz", "POST /", "/v1/*", "/extra/*"):
        assert there in reply.error["message"]


def test_each_target_gets_its_own_key_and_no_other(upstream: ScriptedUpstream) -> None:
    upstream.script = sends(b"{}", JSON)
    extra = {
        "EXTRA_BASE_URL": f"{root_of(upstream)}/one,{root_of(upstream)}/two",
        "EXTRA_ROUTE_PREFIX": "/first,/second",
        "EXTRA_API_KEY": "sk-extra-1,-",
    }
    for path in ("/v1/models", "/first/v1beta/models", "/second/models"):
        headers = {"authorization": "Bearer of-the-client"}
        ask(upstream.url, path=path, headers=headers, settings=extra)
    assert [(asked.target, asked.headers.get("authorization")) for asked in upstream.requests] == [
        ("/v1/models", f"Bearer {SECRET}"),
        ("/one/v1beta/models", "Bearer sk-extra-1"),
        ("/two/models", None),
    ]


def test_default_model_is_for_the_default_target_alone(upstream: ScriptedUpstream) -> None:
    upstream.script = sends(b"{}", JSON)
    extra = {"EXTRA_BASE_URL": f"{root_of(upstream)}/x", "EXTRA_ROUTE_PREFIX": "/extra"}
    for path in ("/v1/chat/completions", "/extra/chat/completions"):
        ask(upstream.url, "POST", path, b'{"messages": []}', OPENAI_MODEL="own", settings=extra)
    ours, theirs = upstream.requests
    assert ours.document == {"messages": [], "model": "own"}
    assert theirs.body == b'{"messages": []}'


def test_prompt_that_is_stored_at_the_provider_brings_its_own_model(
    upstream: ScriptedUpstream,
) -> None:
    upstream.script = sends(b"{}", JSON)
    body = b'{"prompt": {"id": "pmpt_1"}, "input": "x"}'
    ask(upstream.url, "POST", "/v1/responses", body)
    assert upstream.requests[0].body == body


@pytest.mark.parametrize("model", [7, ["m"], {"m": 1}, "\ud800", "a\nb"])
@pytest.mark.parametrize("azure", [False, True])
def test_model_that_is_no_name_is_the_providers_to_judge(
    upstream: ScriptedUpstream, model: object, *, azure: bool
) -> None:
    upstream.script = sends(b'{"error": {"message": "no"}}', JSON, status=400)
    environ = {"AZURE_OPENAI_ENDPOINT": root_of(upstream)} if azure else {}
    body = {"model": model, "messages": HELLO}
    reply = ask(upstream.url, "POST", "/v1/chat/completions", body, settings=environ)
    assert reply.metadata["statusCode"] == 400


@pytest.mark.parametrize(
    ("path", "raw_query", "target", "model"),
    [
        (
            "/v1/chat/completions",
            "",
            "/openai/deployments/my-gpt4/chat/completions?api-version=2024-10-21",
            "gpt-4",
        ),
        (
            "/v1/embeddings",
            "a=1&api-version=2020-01-01",
            "/openai/deployments/my-gpt4/embeddings?a=1&api-version=2024-10-21",
            "gpt-4",
        ),
        ("/v1/responses", "", "/openai/responses?api-version=2024-10-21", "my-gpt4"),
    ],
)
def test_azure_is_asked_by_deployment_with_its_own_header(
    upstream: ScriptedUpstream, path: str, raw_query: str, target: str, model: str
) -> None:
    upstream.script = sends(b"{}", JSON)
    body = b'{"model": "gpt-4", "messages": []}'
    azure = {"AZURE_OPENAI_ENDPOINT": root_of(upstream), **AZURE}
    headers = {"authorization": f"Bearer {LOCK['FORWARD_KEY']}"}
    ask("", "POST", path, body, raw_query=raw_query, headers=headers, settings={**azure, **LOCK})
    (asked,) = upstream.requests
    assert (asked.target, asked.document) == (target, {"model": model, "messages": []})
    assert (asked.headers["api-key"], asked.headers.get("authorization")) == (SECRET, None)


@pytest.mark.parametrize(
    ("sent", "added"),
    [(b"data: [DONE]\n", b"\n"), (b"data: [DONE]\n\n", b""), (b"data: [DONE]\r\n\r\n", b"")],
)
def test_blank_line_that_azure_leaves_out_is_added(
    upstream: ScriptedUpstream, sent: bytes, added: bytes
) -> None:
    events = sse({"choices": []}) + sent
    upstream.script = lambda _request, connection: connection.sendall(
        EVENT_STREAM_HEAD + chunk(events) + LAST_CHUNK
    )
    environ = {"AZURE_OPENAI_ENDPOINT": root_of(upstream), **AZURE}
    body = {"model": "gpt-4", "messages": HELLO, "stream": True}
    assert ask("", "POST", "/v1/chat/completions", body, settings=environ).body == events + added


def test_stream_of_others_is_mended_by_nobody(upstream: ScriptedUpstream) -> None:
    upstream.script = sends(b"data: [DONE]\n", "text/event-stream")
    assert ask(upstream.url, query={"message": "x"}).body == b"data: [DONE]\n"


def test_models_of_azure_are_those_of_the_mapper_and_ask_nobody() -> None:
    azure = {"AZURE_OPENAI_ENDPOINT": refused_url().removesuffix("/v1"), **AZURE}
    listed = json.loads(ask("", path="/v1/models", settings=azure).body)
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == [
        "gpt-3.5-turbo",
        "gpt-3.5-turbo-0301",
        "gpt-4",
    ]


def test_azure_stream_is_the_upstreams_bytes(upstream: ScriptedUpstream) -> None:
    environ = {"AZURE_OPENAI_ENDPOINT": root_of(upstream), **AZURE}
    body = {"model": "gpt-4", "messages": HELLO, "stream": True}
    reply = ask("", "POST", "/v1/chat/completions", body, settings=environ)
    assert reply.body == answer_stream(["Hel", "lo"])


def test_long_name_of_a_deployment_is_cut_in_the_log(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    azure = {"AZURE_OPENAI_ENDPOINT": upstream.url.removesuffix("/v1")}
    ask(upstream.url, "POST", "/v1/embeddings", {"model": "x" * 10_000}, settings=azure)
    assert len(capsys.readouterr().out) < 1_000
