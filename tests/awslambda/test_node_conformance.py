"""Our runtime beside AWS's Node.js client: what both send to the Runtime API, case by case."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.awslambda.node_equivalents import EQUIVALENTS, Different, NotHere, Same
from tests.awslambda.scripted_runtime_api import (
    ReceivedRequest,
    Runtime,
    running,
)

RECORDED = {
    case["case"]: case
    for case in json.loads(
        (Path(__file__).parents[1] / "data/node_streaming_cases.json").read_text(encoding="utf-8")
    )["cases"]
}
OF_THE_CONNECTION = {"connection", "host", "user-agent", "accept", "content-length"}
ERROR_BODY = "Lambda-Runtime-Function-Error-Body"
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
HEADINGS = {
    "async": "@awslambda.streamify_response\nasync def handler(event, s, context):\n",
    "sync": "@awslambda.streamify_response\ndef handler(event, s, context):\n",
    "ordinary": "async def handler(event, context):\n",
}


def source_of(lines: tuple[str, ...], kind: str = "async") -> str:
    if kind == "module":
        return "\n".join(lines)
    imports = "import asyncio, awslambda\nclass Error(Exception): pass\n"
    return imports + HEADINGS[kind] + "".join(f"    {line}\n" for line in lines)


def serve_one(runtime: Runtime, case: dict[str, Any]) -> ReceivedRequest:
    """Give the recorded event, reply as the recorder did, and see the next event asked for."""
    runtime.api.expect_next()
    runtime.api.give_event(json.dumps(case["event"], separators=(",", ":")).encode())
    request = runtime.api.read_request()
    runtime.api.reply(case["posts"][0]["response_status"] if case["posts"] else 202)
    runtime.api.expect_next()
    return request


def headers_of(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted((n.lower(), v) for n, v in pairs if n.lower() not in OF_THE_CONNECTION)


def request_line(request: ReceivedRequest) -> str:
    return f"{request.method} {request.target} HTTP/1.1"


def cases(kind: type) -> list[str]:
    return [name for name, equivalent in EQUIVALENTS.items() if isinstance(equivalent, kind)]


def streamed_cases() -> list[str]:
    return [name for name in cases(Same) if EQUIVALENTS[name].kind in ("async", "sync")]  # type: ignore[union-attr] # cases() has chosen


def test_every_recorded_case_has_its_equivalent_or_a_reason() -> None:
    assert EQUIVALENTS.keys() == RECORDED.keys()
    assert len(cases(NotHere)) < len(RECORDED) / 3


@pytest.mark.parametrize("name", streamed_cases())
def test_streamed_answer_is_what_nodes_client_sends(name: str, tmp_path: Path) -> None:
    equivalent, case = EQUIVALENTS[name], RECORDED[name]
    assert isinstance(equivalent, Same)
    (recorded,) = case["posts"]
    with running(tmp_path, source_of(equivalent.lines, equivalent.kind)) as runtime:
        request = serve_one(runtime, case)
    assert request_line(request) == recorded["request_line"]
    assert headers_of(request.headers) == headers_of(recorded["headers"])
    assert len(request.body) == recorded["body_len"]
    assert hashlib.sha256(request.body).hexdigest() == recorded["body_sha256"]
    types = [(n, v) for n, v in request.trailers if n != ERROR_BODY]
    assert types == [tuple(pair) for pair in recorded["trailers"] if pair[0] != ERROR_BODY]
    if recorded["error_trailer_decoded"]:
        document = json.loads(base64.b64decode(dict(request.trailers)[ERROR_BODY]))
        assert document["errorType"] == recorded["error_trailer_decoded"]["errorType"]
        if not document["errorType"].startswith("Runtime."):
            assert document["errorMessage"] == recorded["error_trailer_decoded"]["errorMessage"]
    assert case["second_next_called"]


@pytest.mark.parametrize("name", ["buffered_handler_object", "buffered_handler_undefined"])
def test_buffered_answer_is_what_nodes_client_sends(name: str, tmp_path: Path) -> None:
    equivalent, case = EQUIVALENTS[name], RECORDED[name]
    assert isinstance(equivalent, Same)
    (recorded,) = case["posts"]
    with running(tmp_path, source_of(equivalent.lines, equivalent.kind)) as runtime:
        request = serve_one(runtime, case)
    assert request_line(request) == recorded["request_line"]
    assert headers_of(request.headers) == headers_of(recorded["headers"])
    assert json.loads(request.body) == json.loads(bytes.fromhex(recorded["body_hex"]))


@pytest.mark.parametrize("name", ["init_throw", "init_syntax_error"])
def test_failed_start_is_told_as_nodes_client_tells_it(name: str, tmp_path: Path) -> None:
    equivalent, case = EQUIVALENTS[name], RECORDED[name]
    assert isinstance(equivalent, Same)
    (recorded,) = case["posts"]
    with running(tmp_path, source_of(equivalent.lines, equivalent.kind)) as runtime:
        request = runtime.api.read_request()
        runtime.api.reply(202)
        assert runtime.finish()[0] == case["process_exit_code"]
    assert request_line(request) == recorded["request_line"]
    assert headers_of(request.headers) == headers_of(recorded["headers"])
    document = json.loads(request.body)
    assert document["errorType"] == json.loads(bytes.fromhex(recorded["body_hex"]))["errorType"]


@pytest.mark.parametrize(
    "name",
    [
        "slow_202_end_then_return",
        "slow_202_throw_before_write",
        "throw_after_write",
        "text_write",
        "buffered_handler_object",
    ],
)
def test_next_event_is_not_asked_for_before_the_reply(name: str, tmp_path: Path) -> None:
    """Node.js does ask where the handler failed: Lambda then gives the same event again."""
    equivalent = EQUIVALENTS[name]
    assert not isinstance(equivalent, NotHere)
    kind = equivalent.kind if isinstance(equivalent, Same) else "async"
    with running(tmp_path, source_of(equivalent.lines, kind)) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_request()
        runtime.wait_until_it_sleeps()
        assert not runtime.api.has_been_sent_more()
        runtime.api.reply(202)
        runtime.api.expect_next()


@pytest.mark.parametrize("name", cases(Different))
def test_deliberate_difference(name: str, tmp_path: Path) -> None:
    equivalent, case = EQUIVALENTS[name], RECORDED[name]
    assert isinstance(equivalent, Different)
    with running(tmp_path, source_of(equivalent.lines)) as runtime:
        request = serve_one(runtime, case)
    if equivalent.error is None:
        assert request.target.endswith("/response")
        assert request.body == equivalent.body
        assert dict(request.trailers).get(ERROR_TYPE) == equivalent.trailer
    else:
        assert request.target.endswith("/error")
        assert request.header(ERROR_TYPE) == equivalent.error
        assert json.loads(request.body)["errorType"] == equivalent.error


def test_process_that_exits_leaves_its_answer_incomplete(tmp_path: Path) -> None:
    with running(tmp_path, source_of(("s.write('x'); raise SystemExit(3)",))) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_head()
        assert runtime.api.read_chunk() == b"x"
        with pytest.raises(AssertionError, match="closed the connection"):
            runtime.api.read_chunk()
        assert runtime.finish()[0] == RECORDED["process_exit"]["process_exit_code"]


def test_early_refusal_breaks_the_stream_only(tmp_path: Path) -> None:
    lines = ("for _ in range(1000): s.write('c' * 65536)",)
    with running(tmp_path, source_of(lines)) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_head()
        runtime.api.reply(413)
        runtime.api.drop_connection()
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert "Runtime.ResponseStreamBroken" in out
