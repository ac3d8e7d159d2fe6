"""The runtime as a process, seen from the Runtime API."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import running, streamed

if TYPE_CHECKING:
    from pathlib import Path

TRAILER_NAMES = ["Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"]


def test_ordinary_handler_answers_and_next_event_follows(tmp_path: Path) -> None:
    source = "def handler(event, context):\n    return {'got': event, 'id': context.aws_request_id}"
    with running(tmp_path, source) as runtime:
        for number in (1, 2):
            runtime.api.expect_next()
            runtime.api.give_event(json.dumps({"n": number}).encode())
            answer = runtime.api.expect_answer()
            assert answer.header("content-type") == "application/json"
            assert json.loads(answer.body)["got"] == {"n": number}
        assert runtime.api.connections_made == 1


def test_async_handler_is_awaited(tmp_path: Path) -> None:
    source = (
        "import asyncio\nasync def handler(event, context):\n"
        "    await asyncio.sleep(0)\n    return 'awaited'"
    )
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        assert runtime.api.expect_answer().body == b'"awaited"'


def test_streamed_answer_has_the_head_that_node_sends(tmp_path: Path) -> None:
    source = streamed("response_stream.write('hello')", "response_stream.end()")
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        answer = runtime.api.expect_answer()
    names = [name for name, _ in answer.headers]
    assert answer.header("Lambda-Runtime-Function-Response-Mode") == "streaming"
    assert [value for name, value in answer.headers if name == "Trailer"] == TRAILER_NAMES
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("Transfer-Encoding") == "chunked"
    assert "Content-Length" not in names
    assert (answer.body, answer.trailers) == (b"hello", [])


def test_written_byte_is_on_the_wire_before_the_handler_goes_on(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    source = streamed(
        "response_stream.write('first')",
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)",
        "response_stream.write('second')",
    )
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_head()
        assert runtime.api.read_chunk() == b"first"
        gate.touch()
        assert runtime.api.read_chunk() == b"second"
        assert runtime.api.read_chunk() == b""


def test_prelude_comes_with_the_first_write(tmp_path: Path) -> None:
    source = streamed(
        "s = awslambda.HttpResponseStream.from_(response_stream,"
        " {'statusCode': 201, 'headers': {'X-A': 'é'}, 'cookies': ['a=1']})",
        "s.write(b'body')",
        "s.end()",
    )
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        answer = runtime.api.expect_answer()
    metadata, _, body = answer.body.partition(bytes(8))
    assert answer.header("Content-Type") == "application/vnd.awslambda.http-integration-response"
    assert json.loads(metadata) == {
        "statusCode": 201,
        "headers": {"X-A": "é"},
        "cookies": ["a=1"],
    }
    assert body == b"body"


@pytest.mark.parametrize("last", ["s.end()", "s.end('x')", "pass"])
def test_prelude_is_sent_when_nothing_was_written(tmp_path: Path, last: str) -> None:
    source = streamed(
        "s = awslambda.HttpResponseStream.from_(response_stream, {'statusCode': 204})", last
    )
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        answer = runtime.api.expect_answer()
    assert answer.body.startswith(b'{"statusCode":204}' + bytes(8))


def test_exception_before_the_first_byte_is_posted_as_an_error(tmp_path: Path) -> None:
    source = streamed("raise ValueError('too early')")
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        error = runtime.api.expect_answer("error")
        runtime.api.expect_next()
        out, _ = runtime.end()
    document = json.loads(error.body)
    assert error.header("Lambda-Runtime-Function-Error-Type") == "ValueError"
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "too early")
    assert "app.py" in document["stackTrace"][-1]
    assert "awslambda" not in "".join(document["stackTrace"])
    assert "[ERROR] ValueError: too early" in out


def test_error_of_an_invocation_has_its_cause_for_xray(tmp_path: Path) -> None:
    source = "def handler(event, context): raise ValueError('two\\nlines \u20ac')"
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        error = runtime.api.expect_answer("error")
    cause = json.loads(error.header("Lambda-Runtime-Function-XRay-Error-Cause") or "")
    (exception,) = cause["exceptions"]
    assert (exception["type"], exception["message"]) == ("ValueError", "two\nlines \u20ac")
    assert exception["stack"][-1]["label"] == "handler"
    assert cause["paths"] == [str(tmp_path / "app.py")]


def test_cause_that_would_be_cropped_is_left_out(tmp_path: Path) -> None:
    source = "def handler(event, context): raise ValueError('x' * 100_000)"
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        error = runtime.api.expect_answer("error")
    assert error.header("Lambda-Runtime-Function-XRay-Error-Cause") is None
    assert len(json.loads(error.body)["errorMessage"]) == 100_000


def test_exception_after_the_first_byte_ends_the_stream_with_trailers(tmp_path: Path) -> None:
    source = streamed("response_stream.write('partial')", "raise KeyError('late')")
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        answer = runtime.api.expect_answer()
        runtime.api.expect_next()
    assert answer.body == b"partial"
    trailers = dict(answer.trailers)
    assert trailers["Lambda-Runtime-Function-Error-Type"] == "KeyError"
    document = json.loads(base64.b64decode(trailers["Lambda-Runtime-Function-Error-Body"]))
    assert (document["errorType"], document["errorMessage"]) == ("KeyError", "'late'")


def test_exception_after_the_end_leaves_the_answer_complete(tmp_path: Path) -> None:
    source = streamed("response_stream.end('done')", "raise RuntimeError('after')")
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        answer = runtime.api.expect_answer()
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert (answer.body, answer.trailers) == (b"done", [])
    assert "[ERROR] RuntimeError: after" in out


def test_write_after_end_raises_in_the_handler(tmp_path: Path) -> None:
    source = streamed(
        "response_stream.end('done')",
        "try: response_stream.write('more')",
        "except awslambda.WriteAfterEnd as error: print('raised', error)",
    )
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        assert runtime.api.expect_answer().body == b"done"
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert "raised the response stream has ended" in out


def test_stream_is_complete_while_the_handler_still_works(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    source = streamed(
        "response_stream.end('all')",
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)",
    )
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        assert runtime.api.expect_answer().body == b"all"
        gate.touch()
        runtime.api.expect_next()


@pytest.mark.parametrize(
    "error",
    ["ValueError('no character: \\ud800')", "type('Odd', (Exception,), {'__str__': None})()"],
)
def test_error_that_cannot_be_told_in_its_own_words_is_told_all_the_same(
    tmp_path: Path, error: str
) -> None:
    with running(tmp_path, f"def handler(event, context): raise {error}") as runtime:
        for _ in range(2):
            runtime.api.expect_next()
            runtime.api.give_event()
            assert json.loads(runtime.api.expect_answer("error").body)["errorMessage"]


@pytest.mark.parametrize(
    "line",
    [
        "asyncio.run(asyncio.sleep(0)); raise asyncio.CancelledError",
        "import os, tempfile\n    with tempfile.TemporaryDirectory() as d: os.chdir(d)\n    1 / 0",
        "import sys; sys.stdout.close(); 1 / 0",
    ],
)
def test_failure_of_any_kind_is_reported_and_the_next_event_served(
    tmp_path: Path, line: str
) -> None:
    source = f"import asyncio\ndef handler(event, context):\n    {line}"
    with running(tmp_path, source) as runtime:
        for _ in range(2):
            runtime.api.expect_next()
            runtime.api.give_event()
            runtime.api.expect_answer("error")


def test_stream_kept_by_a_failed_handler_cannot_reach_the_next_callers_answer(
    tmp_path: Path,
) -> None:
    source = """
import awslambda
kept = []
@awslambda.streamify_response
def handler(event, response_stream, context):
    if not kept:
        kept.append(response_stream)
        raise ValueError("before the first byte")
    response_stream.write("second begins, ")
    try: kept[0].write("SECRET OF THE FIRST CALLER")
    except awslambda.WriteAfterEnd: response_stream.write("second ends")
"""
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.expect_answer("error")
        runtime.api.expect_next()
        runtime.api.give_event()
        assert runtime.api.expect_answer().body == b"second begins, second ends"


def test_frames_of_a_package_with_a_similar_name_are_the_functions(tmp_path: Path) -> None:
    (tmp_path / "myawslambda").mkdir()
    (tmp_path / "myawslambda/code.py").write_text("def fail(): raise ValueError('mine')")
    source = "from myawslambda.code import fail\ndef handler(event, context): fail()"
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        document = json.loads(runtime.api.expect_answer("error").body)
    assert "myawslambda/code.py" in document["stackTrace"][-1]


@pytest.mark.parametrize(
    ("event", "result", "error_type"),
    [(b"{", "1", "Runtime.UnmarshalError"), (b"{}", "object()", "Runtime.MarshalError")],
)
def test_what_is_not_json_is_an_error_of_its_own(
    tmp_path: Path, event: bytes, result: str, error_type: str
) -> None:
    with running(tmp_path, f"def handler(event, context): return {result}") as runtime:
        runtime.api.expect_next()
        runtime.api.give_event(event)
        assert json.loads(runtime.api.expect_answer("error").body)["errorType"] == error_type
        runtime.api.expect_next()


def test_decimal_becomes_a_number(tmp_path: Path) -> None:
    source = "from decimal import Decimal\ndef handler(e, c): return {'n': Decimal('1.5')}"
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        assert json.loads(runtime.api.expect_answer().body) == {"n": 1.5}


def test_trace_id_is_set_for_its_event_only(tmp_path: Path) -> None:
    source = "import os\ndef handler(e, c): return os.environ.get('_X_AMZN_TRACE_ID')"
    with running(tmp_path, source) as runtime:
        for headers, expected in (
            ({"Lambda_Runtime_Trace_Id": "Root=1-a"}, "Root=1-a"),
            ({}, None),
        ):
            runtime.api.expect_next()
            runtime.api.give_event(b"{}", **headers)
            assert json.loads(runtime.api.expect_answer().body) == expected


def test_context_has_what_the_stock_client_gives(tmp_path: Path) -> None:
    source = """
def handler(event, context):
    return [context.function_name, context.aws_request_id, context.invoked_function_arn,
            context.client_context.client.app_title, context.client_context.custom,
            context.identity.cognito_identity_id, context.tenant_id,
            context.get_remaining_time_in_millis() > 0]
"""
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event(
            b"{}",
            Lambda_Runtime_Client_Context='{"client":{"app_title":"t"},"custom":{"k":1}}',
            Lambda_Runtime_Cognito_Identity='{"cognitoIdentityId":"c"}',
            Lambda_Runtime_Aws_Tenant_Id="tenant",
        )
        answer = json.loads(runtime.api.expect_answer().body)
    arn = "arn:aws:lambda:us-east-1:1:function:f"
    request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    assert answer == ["f", request_id, arn, "t", {"k": 1}, "c", "tenant", True]
