"""The provider's whole API through the gateway: the same bytes, and no secrets."""

from __future__ import annotations

import json

import pytest

from sluice.url.gateway import MAX_BODY_BYTES
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    chunk,
    sends,
    sse,
)
from tests.sluice.answering import SECRET
from tests.sluice.url.asking import HELLO, LOCK, UrlBench

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
AZURE = {
    "AZURE_OPENAI_APIVERSION": "2024-10-21",
    "AZURE_OPENAI_MODEL_MAPPER": "gpt-4=my-gpt4",
}


@pytest.mark.parametrize(
    ("method", "path", "content_type", "body", "answer_type", "answer"),
    [
        ("POST", "/v1/chat/completions", JSON, CHAT, JSON, b'{"choices": []}'),
        ("POST", "/v1/completions", JSON, b'{"model":"m","prompt":"x"}', JSON, b"{}"),
        ("POST", "/v1/responses", JSON, b'{"model":"m","input":"x"}', JSON, b"{}"),
        ("GET", "/v1/responses/resp_1/input_items", JSON, None, JSON, b"{}"),
        ("POST", "/v1/embeddings", JSON, b'{"input":"x","model":"e"}', JSON, b'{"data":[]}'),
        ("GET", "/v1/models/ft:gpt-4o:acme::id", JSON, None, JSON, b"{}"),
        ("DELETE", "/v1/models/ft:gpt-4o:acme::id", JSON, None, JSON, b'{"deleted":true}'),
        ("POST", "/v1/images/edits", FORM, UPLOAD, JSON, b"{}"),
        ("POST", "/v1/audio/transcriptions", FORM, UPLOAD, "text/plain", b"Hello.\n"),
        ("POST", "/v1/audio/speech", JSON, b'{"input":"x"}', "audio/mpeg", EVERY_BYTE),
        ("GET", "/v1/files/file-1/content", JSON, None, "application/octet-stream", EVERY_BYTE),
        ("PUT", "/v1/uploads/u-1/parts/2", "application/octet-stream", EVERY_BYTE, JSON, b"{}"),
        ("PATCH", "/v1/threads/t", "application/merge-patch+json", b'{"a":null}', JSON, b"{}"),
        ("POST", "/v1/what/comes/next", "image/png", EVERY_BYTE, "image/webp", EVERY_BYTE),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_request_and_answer_are_the_same_bytes(
    bench: UrlBench,
    method: str,
    path: str,
    content_type: str,
    body: bytes | None,
    answer_type: str,
    answer: bytes,
) -> None:
    bench.upstream.script = sends(answer, answer_type)
    reply = bench.ask(method, path, body, headers={"content-type": content_type})
    (asked,) = bench.upstream.requests
    assert (asked.method, asked.target, asked.body) == (method, path, body or b"")
    assert asked.headers["content-type"] == content_type
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert (reply.status, reply.body) == (200, answer)
    assert reply.headers == {"content-type": answer_type}


def test_query_goes_on_as_sent(bench: UrlBench) -> None:
    for query in ("b=2&a=1&after=file-1", "flag", "a=&=b&&c", "q=a%20b+c%2Fd%26", "a=1&a=2"):
        bench.ask(path="/v1/files", raw_query=query)
        assert bench.targets[-1] == f"/v1/files?{query}"


def test_head_of_any_length_is_passed_on(bench: UrlBench) -> None:
    bench.upstream.script = sends(EVERY_BYTE, "audio/mpeg", etag='"e"')
    reply = bench.ask("HEAD", "/v1/files/file-1/content")
    assert bench.upstream.requests[0].method == "HEAD"
    expected = {"statusCode": 200, "headers": {"content-type": "audio/mpeg", "etag": '"e"'}}
    assert reply.metadata == expected
    bench.upstream.script = lambda _request, connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n"
    )
    assert bench.ask("HEAD", "/v1/files/f/content").status == 200


@pytest.mark.parametrize("path", ["/v1/responses/resp_1", "/v1/chat/completions"])
def test_stream_without_an_event_is_an_error(bench: UrlBench, path: str) -> None:
    bench.upstream.script = sends(b"", "text/event-stream")
    reply = bench.ask(path=path, raw_query="stream=true")
    assert reply.refusal == (502, "upstream_incomplete")


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT"])
def test_answer_without_a_body_becomes_an_empty_line(bench: UrlBench, method: str) -> None:
    bench.upstream.script = lambda _request, connection: connection.sendall(
        b"HTTP/1.1 204 No Content\r\nx-request-id: u-1\r\n\r\n"
    )
    reply = bench.ask(method, "/v1/containers/c-1", b"{}")
    assert (reply.status, reply.body) == (200, b"\n")
    assert reply.headers == {"x-request-id": "u-1"}


def test_status_of_a_success_is_the_upstreams(bench: UrlBench) -> None:
    bench.upstream.script = sends(
        EVERY_BYTE,
        status=206,
        content_range="bytes 0-1023/2048",
        content_disposition="attachment",
    )
    reply = bench.ask(path="/v1/files/f/content", headers={"range": "bytes=0-1023"})
    assert bench.upstream.requests[0].headers["range"] == "bytes=0-1023"
    assert reply.status == 206
    assert reply.headers["content-range"] == "bytes 0-1023/2048"
    assert reply.headers["content-disposition"] == "attachment"


def test_secrets_of_the_client_are_not_passed_on(bench: UrlBench) -> None:
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
    bench.ask("POST", "/v1/chat/completions", CHAT, headers=headers, settings=LOCK)
    bench.ask(path="/v1/models", headers=headers, settings=LOCK)
    for asked in bench.upstream.requests:
        passed = json.dumps(asked.headers)
        assert not any(part in passed for part in (LOCK["FORWARD_KEY"], "private", "192.0.2.7"))
        assert asked.headers["host"] == bench.root.removeprefix("http://")
        assert asked.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("value", ["Größe", "語", "\udcff\udce9", "", " ", " v", "\tv ", "\x0bv"])
def test_header_with_any_characters_goes_on_without_blanks_around_it(
    bench: UrlBench, value: str
) -> None:
    assert bench.ask(path="/v1/models", headers={"x-title": value}).status == 200
    assert bench.upstream.requests[0].headers["x-title"] == value.strip()


@pytest.mark.parametrize("path", ["/", "/v1/chat/completions", "/v1/files"])
def test_body_over_lambdas_limit_is_413(bench: UrlBench, path: str) -> None:
    reply = bench.ask("POST", path, b" " * (MAX_BODY_BYTES + 1))
    assert reply.refusal == (413, "body_too_large")
    assert bench.targets == []


def test_largest_body_goes_on(bench: UrlBench) -> None:
    body = b"x" * MAX_BODY_BYTES
    headers = {"content-type": "application/octet-stream"}
    assert bench.ask("POST", "/v1/files", body, headers=headers).body
    assert bench.upstream.requests[0].body == body


def test_each_target_gets_its_own_key_and_no_other(bench: UrlBench) -> None:
    bench.upstream.script = sends(b"{}", JSON)
    extra = {
        "EXTRA_BASE_URL": f"{bench.root}/one,{bench.root}/two",
        "EXTRA_ROUTE_PREFIX": "/first,/second",
        "EXTRA_API_KEY": "sk-extra-1,-",
    }
    for path in ("/v1/models", "/first/v1beta/models", "/second/models"):
        headers = {"authorization": "Bearer of-the-client"}
        bench.ask(path=path, headers=headers, settings=extra)
    asked = [(each.target, each.headers.get("authorization")) for each in bench.upstream.requests]
    assert asked == [
        ("/v1/models", f"Bearer {SECRET}"),
        ("/one/v1beta/models", "Bearer sk-extra-1"),
        ("/two/models", None),
    ]


def test_default_model_is_for_the_default_target_alone(bench: UrlBench) -> None:
    bench.upstream.script = sends(b"{}", JSON)
    extra = {"EXTRA_BASE_URL": f"{bench.root}/x", "EXTRA_ROUTE_PREFIX": "/extra"}
    for path in ("/v1/chat/completions", "/extra/chat/completions"):
        bench.ask("POST", path, b'{"messages": []}', OPENAI_MODEL="own", settings=extra)
    ours, theirs = bench.upstream.requests
    assert ours.document == {"messages": [], "model": "own"}
    assert theirs.body == b'{"messages": []}'


@pytest.mark.parametrize("model", [7, ["m"], {"m": 1}, "\ud800", "a\nb"])
@pytest.mark.parametrize("azure", [False, True])
def test_provider_judges_a_model_that_is_not_a_name(
    bench: UrlBench, model: object, *, azure: bool
) -> None:
    bench.upstream.script = sends(b'{"error": {"message": "no"}}', JSON, status=400)
    environ = {"AZURE_OPENAI_ENDPOINT": bench.root} if azure else {}
    body = {"model": model, "messages": HELLO}
    reply = bench.ask("POST", "/v1/chat/completions", body, settings=environ)
    assert reply.status == 400


@pytest.mark.parametrize(
    ("sent", "added"),
    [(b"data: [DONE]\n", b"\n"), (b"data: [DONE]\n\n", b""), (b"data: [DONE]\r\n\r\n", b"")],
)
def test_blank_line_that_azure_leaves_out_is_added(
    bench: UrlBench, sent: bytes, added: bytes
) -> None:
    events = sse({"choices": []}) + sent
    bench.upstream.script = lambda _request, connection: connection.sendall(
        EVENT_STREAM_HEAD + chunk(events) + LAST_CHUNK
    )
    azure = {"AZURE_OPENAI_ENDPOINT": bench.root, **AZURE}
    assert bench.chat(settings=azure).body == events + added


def test_streams_of_other_providers_get_no_blank_line(bench: UrlBench) -> None:
    bench.upstream.script = sends(b"data: [DONE]\n", "text/event-stream")
    assert bench.hello().body == b"data: [DONE]\n"


def test_heartbeat_is_a_comment_but_for_further_apis(bench: UrlBench) -> None:
    bench.upstream.script = sends(b"data:\n\ndata: [DONE]\n\n", "text/event-stream")
    extra = {"EXTRA_BASE_URL": f"{bench.root}/x", "EXTRA_ROUTE_PREFIX": "/extra"}
    assert bench.hello().body == b":data:\ndata: [DONE]\n\n"
    reply = bench.ask("POST", "/extra/chat/completions", {}, settings=extra)
    assert reply.body == b"data:\n\ndata: [DONE]\n\n"


def test_models_of_azure_are_those_of_the_mapper(bench: UrlBench) -> None:
    azure = {"AZURE_OPENAI_ENDPOINT": bench.root, **AZURE}
    listed = json.loads(bench.ask(path="/v1/models", settings=azure).body)
    models = [model["id"] for model in listed["data"]]
    assert (listed["object"], models) == ("list", ["gpt-3.5-turbo", "gpt-3.5-turbo-0301", "gpt-4"])
    assert bench.targets == []


def test_long_name_of_a_deployment_is_cut_in_the_log(bench: UrlBench) -> None:
    azure = {"AZURE_OPENAI_ENDPOINT": bench.root}
    bench.ask("POST", "/v1/embeddings", {"model": "x" * 10_000}, settings=azure)
    assert len(json.dumps(bench.logged())) < 1_000


AZURE_V1 = {"AZURE_OPENAI_APIVERSION": "v1"}
AZURE_CHAT = "/openai/deployments/gpt.4/chat/completions"


@pytest.mark.parametrize(
    "body", [{}, {"model": "other"}, {"model": "gpt.4"}, {"prompt": {"id": "p"}}]
)
def test_deployment_of_an_azure_path_is_the_model(bench: UrlBench, body: dict[str, object]) -> None:
    bench.upstream.script = sends(b"{}", JSON)
    bench.ask("POST", AZURE_CHAT, body, raw_query="a=1&api-version=2024-10-21&Api%2Dversion=x")
    (request,) = bench.upstream.requests
    assert request.target == "/v1/chat/completions?a=1"
    assert request.document == {**body, "model": "gpt.4"}
    assert bench.logged()["model"] == "gpt.4"


def test_body_of_an_azure_client_is_the_same_bytes_if_it_names_the_deployment(
    bench: UrlBench,
) -> None:
    bench.upstream.script = sends(b"{}", JSON)
    for path in ("chat/completions", "embeddings"):
        body = b'{ "model" : "gpt\\u002e4", "x": 1.0 }'
        bench.ask("POST", f"/openai/deployments/gpt.4/{path}", body)
        assert bench.upstream.requests[-1].body == body


@pytest.mark.parametrize(("mapper", "deployment"), [("", "gpt4"), ("gpt.4=own-name", "own-name")])
@pytest.mark.parametrize("path", ["chat/completions", "audio/transcriptions"])
def test_deployment_of_an_azure_path_is_mapped_for_azure(
    bench: UrlBench, mapper: str, deployment: str, path: str
) -> None:
    bench.upstream.script = sends(b"{}", JSON)
    azure = {"AZURE_OPENAI_ENDPOINT": bench.root, **AZURE, "AZURE_OPENAI_MODEL_MAPPER": mapper}
    headers = {"content-type": "multipart/form-data; boundary=b" if "audio" in path else JSON}
    body = b"--b\r\n\r\nx\r\n--b--\r\n" if "audio" in path else b"{}"
    asked = f"/openai/deployments/gpt.4/{path}"
    bench.ask(
        "POST", asked, body, headers=headers, raw_query="api-version=2020-01-01", settings=azure
    )
    (target,) = bench.targets
    assert target.startswith(f"/openai/deployments/{deployment}/{path}?api-version=")
    assert "2020" not in target


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nother\r\n--b--\r\n',
        ),
        ("text/plain", b'{"model": "other"}'),
    ],
)
def test_model_of_a_body_that_cannot_change_counts_where_the_provider_reads_it(
    bench: UrlBench, kind: str, body: bytes
) -> None:
    bench.upstream.script = sends(b"{}", JSON)
    azure = {"AZURE_OPENAI_ENDPOINT": bench.root, **AZURE}
    for settings, model in (({}, "other"), (azure, "gpt.4"), ({**azure, **AZURE_V1}, "other")):
        path, headers = "/openai/deployments/gpt.4/embeddings", {"content-type": kind}
        bench.ask("POST", path, body, headers=headers, settings=settings)
        assert bench.logged()["model"] == model
        assert bench.upstream.requests[-1].body == body
