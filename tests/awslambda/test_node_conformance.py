"""Our runtime next to AWS's Node.js client: what both send to the Runtime API, case by case."""

from __future__ import annotations

import base64
import hashlib
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.awslambda.node_equivalents import (
    DIFFERENT,
    HEADINGS,
    NOT_HERE,
    PREAMBLE,
    SAME,
    Kind,
)
from tests.awslambda.scripted_runtime_api import (
    ReceivedRequest,
    Runtime,
    running,
    source_event,
    streamed,
)

RECORDINGS = Path(__file__).parents[1] / "data/node_streaming_cases.json"
RECORDED: dict[str, dict[str, Any]] = {
    case["case"]: case for case in json.loads(RECORDINGS.read_text(encoding="utf-8"))["cases"]
}
OF_THE_CONNECTION = {"connection", "host", "user-agent", "accept", "content-length"}
ERROR_BODY = "Lambda-Runtime-Function-Error-Body"
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"


def source_of(kind: Kind, lines: str) -> str:
    return PREAMBLE + HEADINGS[kind] + textwrap.indent(lines, "    " if HEADINGS[kind] else "")


def serve(runtime: Runtime, name: str, source: str) -> ReceivedRequest:
    """Give the recorded event, reply as the recorder did, and wait for the next request."""
    case = RECORDED[name]
    runtime.api.give_event(source_event(source, case["event"]))
    request = runtime.api.read_request()
    runtime.api.reply(case["posts"][0]["response_status"] if case["posts"] else 202)
    runtime.api.expect_next()
    return request


def assert_head_is_recorded(request: ReceivedRequest, name: str) -> dict[str, Any]:
    """Compare request line and headers; return the recorded POST."""
    recorded: dict[str, Any]
    (recorded,) = RECORDED[name]["posts"]
    assert f"{request.method} {request.target} HTTP/1.1" == recorded["request_line"]
    assert headers_of(request.headers) == headers_of(recorded["headers"])
    return recorded


def headers_of(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted((n.lower(), v) for n, v in pairs if n.lower() not in OF_THE_CONNECTION)


def test_every_recorded_case_has_an_equivalent_or_a_reason() -> None:
    same = [name for handlers in SAME.values() for name in handlers]
    assert sorted([*same, *DIFFERENT, *NOT_HERE]) == sorted(RECORDED)
    assert len(NOT_HERE) < len(RECORDED) / 3


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in ("async", "sync") for name in SAME[kind]]
)
def test_streamed_answer_is_what_nodes_client_sends(
    kind: Kind, name: str, streaming: Runtime
) -> None:
    request = serve(streaming, name, source_of(kind, SAME[kind][name]))
    recorded = assert_head_is_recorded(request, name)
    assert request.header("content-length") is None
    assert len(request.body) == recorded["body_len"]
    assert hashlib.sha256(request.body).hexdigest() == recorded["body_sha256"]
    types = [(n, v) for n, v in request.trailers if n != ERROR_BODY]
    assert types == [tuple(pair) for pair in recorded["trailers"] if pair[0] != ERROR_BODY]
    if expected := recorded["error_trailer_decoded"]:
        document = json.loads(base64.b64decode(dict(request.trailers)[ERROR_BODY]))
        assert document["errorType"] == expected["errorType"]
        if not document["errorType"].startswith("Runtime."):
            assert document["errorMessage"] == expected["errorMessage"]
    assert RECORDED[name]["second_next_called"]


@pytest.mark.parametrize("name", SAME["ordinary"])
def test_ordinary_answer_is_what_nodes_client_sends(name: str, ordinary: Runtime) -> None:
    request = serve(ordinary, name, source_of("ordinary", SAME["ordinary"][name]))
    recorded = assert_head_is_recorded(request, name)
    assert json.loads(request.body) == json.loads(bytes.fromhex(recorded["body_hex"]))


@pytest.mark.parametrize("name", SAME["module"])
def test_failed_start_is_reported_as_by_nodes_client(name: str, tmp_path: Path) -> None:
    with running(tmp_path, source_of("module", SAME["module"][name])) as runtime:
        request = runtime.api.read_request()
        runtime.api.reply(202)
        assert runtime.finish()[0] == RECORDED[name]["process_exit_code"]
    recorded = assert_head_is_recorded(request, name)
    document = json.loads(request.body)
    assert document["errorType"] == json.loads(bytes.fromhex(recorded["body_hex"]))["errorType"]


@pytest.mark.parametrize(
    ("fixture", "source"),
    [
        ("streaming", streamed("response_stream.end('x')")),
        ("streaming", streamed("raise ValueError")),
        ("streaming", streamed("response_stream.write('x'); raise ValueError")),
        ("ordinary", "def handler(event, context): pass"),
    ],
)
def test_next_event_is_not_requested_before_the_reply(
    fixture: str, source: str, request: pytest.FixtureRequest
) -> None:
    """Node.js's client does so after a failure: Lambda then gives the same event again."""
    runtime: Runtime = request.getfixturevalue(fixture)
    runtime.api.give_event(source_event(source))
    runtime.api.read_request()
    runtime.wait_until_it_sleeps()
    assert not runtime.api.has_been_sent_more()
    runtime.api.reply(202)
    runtime.api.expect_next()


@pytest.mark.parametrize("name", DIFFERENT)
def test_deliberate_difference(name: str, streaming: Runtime) -> None:
    equivalent = DIFFERENT[name]
    request = serve(streaming, name, source_of("async", equivalent.lines))
    if equivalent.error is None:
        assert request.target.endswith("/response")
        assert request.body == equivalent.body
        assert dict(request.trailers).get(ERROR_TYPE) == equivalent.trailer
    else:
        assert request.target.endswith("/error")
        assert request.header(ERROR_TYPE) == equivalent.error
        assert json.loads(request.body)["errorType"] == equivalent.error


def test_process_that_exits_leaves_its_answer_incomplete(tmp_path: Path) -> None:
    with running(tmp_path, streamed("response_stream.write('x'); raise SystemExit(3)")) as runtime:
        runtime.api.give_event()
        runtime.api.read_head()
        assert runtime.api.read_chunk() == b"x"
        with pytest.raises(AssertionError, match="closed the connection"):
            runtime.api.read_chunk()
        assert runtime.finish()[0] == RECORDED["process_exit"]["process_exit_code"]
