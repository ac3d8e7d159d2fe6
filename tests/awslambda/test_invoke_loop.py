"""The runtime as a process, seen from the Runtime API."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import (
    BOOTSTRAP,
    LINE_END,
    REQUEST_ID,
    Runtime,
    RuntimeApi,
    running,
    source_event,
    streamed,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
XRAY_CAUSE = "Lambda-Runtime-Function-XRay-Error-Cause"
FAILURES = {
    "lone surrogate": "raise ValueError('\\ud800')",
    "no text": "raise type('Odd', (Exception,), {'__str__': None})()",
    "cancelled": "asyncio.run(asyncio.sleep(0)); raise asyncio.CancelledError('by itself')",
    "no folder": "with tempfile.TemporaryDirectory() as d: os.chdir(d)\n    1 / 0",
    "no output": "sys.stdout.close(); 1 / 0",
}


def test_ordinary_handler_serves_all_events_on_one_connection(tmp_path: Path) -> None:
    source = "def handler(event, context):\n    return {'got': event, 'id': context.aws_request_id}"
    with running(tmp_path, source) as runtime:
        for event, got in ((b'{"n": 1}', {"n": 1}), (b'{"n": 2}', {"n": 2}), (b"", None)):
            answer = runtime.api.answer_to(event)
            assert answer.header("content-type") == "application/json"
            assert json.loads(answer.body) == {"got": got, "id": REQUEST_ID}
        assert runtime.api.connections_made == 1


def test_bytes_and_the_end_are_on_the_wire_before_the_handler_continues(
    streaming: Runtime, tmp_path: Path
) -> None:
    gates = [tmp_path / "first", tmp_path / "second"]
    waits = [f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)" for gate in gates]
    source = streamed(
        "response_stream.write('first')", waits[0], "response_stream.end('second')", waits[1]
    )
    streaming.api.give_event(source_event(source))
    streaming.api.read_head()
    assert streaming.api.read_chunk() == b"first"
    gates[0].touch()
    assert [streaming.api.read_chunk(), streaming.api.read_chunk()] == [b"second", b""]
    assert streaming.api.read_trailers() == []
    streaming.api.reply(202)
    gates[1].touch()
    streaming.api.expect_next()


def test_exception_after_the_end_is_logged_and_leaves_the_answer_complete(
    streaming: Runtime,
) -> None:
    answer = streaming.serve(streamed("response_stream.end('done')", "raise RuntimeError('after')"))
    assert (answer.body, answer.trailers) == (b"done", [])
    assert "[ERROR] RuntimeError: after" in streaming.new_output()


def test_error_reports_the_functions_frames_to_lambda_the_log_and_xray(tmp_path: Path) -> None:
    """A package of the function's own with a similar name is not taken for the runtime's."""
    package = tmp_path / "myawslambda"
    package.mkdir()
    (package / "code.py").write_text("def fail(): raise ValueError('two\\nlines \u20ac')")
    source = "from myawslambda.code import fail\ndef handler(event, context): fail()"
    with running(tmp_path, source) as runtime:
        error = runtime.api.answer_to(leaf="error")
        out = runtime.new_output()
    document = json.loads(error.body)
    assert error.header(ERROR_TYPE) == document["errorType"] == "ValueError"
    assert document["errorMessage"] == "two\nlines \u20ac"
    assert "myawslambda/code.py" in document["stackTrace"][-1]
    assert str(BOOTSTRAP.parent) not in "".join(document["stackTrace"])
    assert f"[ERROR] ValueError: two{LINE_END}lines \u20ac{LINE_END}Traceback" in out
    cause = json.loads(error.header(XRAY_CAUSE) or "")
    (exception,) = cause["exceptions"]
    assert (exception["type"], exception["message"]) == ("ValueError", "two\nlines \u20ac")
    assert [frame["label"] for frame in exception["stack"]] == ["handler", "fail"]
    assert cause["paths"] == [str(tmp_path / "app.py"), str(package / "code.py")]


def test_xray_cause_that_lambda_would_cut_is_left_out(ordinary: Runtime) -> None:
    source = "def handler(event, context): raise ValueError('x' * 100_000)"
    error = ordinary.serve(source, leaf="error")
    assert error.header(XRAY_CAUSE) is None
    assert len(json.loads(error.body)["errorMessage"]) == 100_000


@pytest.mark.parametrize("name", FAILURES)
def test_next_event_is_served_after_any_failure(tmp_path: Path, name: str) -> None:
    source = f"import asyncio, os, sys, tempfile\ndef handler(e, c):\n    {FAILURES[name]}"
    with running(tmp_path, source) as runtime:
        for _ in range(2):
            assert json.loads(runtime.api.answer_to(leaf="error").body)["errorMessage"]


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
        runtime.api.answer_to(leaf="error")
        assert runtime.api.answer_to().body == b"second begins, second ends"


@pytest.mark.parametrize("event", [b"{", b"NaN", b"[-Infinity]", b'"\xff"', b"[" * 100_000])
def test_event_that_is_not_json_is_an_error_of_its_own(ordinary: Runtime, event: bytes) -> None:
    error = ordinary.api.answer_to(event, leaf="error")
    assert json.loads(error.body)["errorType"] == "Runtime.UnmarshalError"


@pytest.mark.parametrize(
    ("result", "body"),
    [("'a\\ud83d'", b'"a\\ud83d"'), ("b'\\xff'", b"\xff")],
)
def test_result_is_posted_even_if_the_stock_client_would_die(
    ordinary: Runtime, result: str, body: bytes
) -> None:
    assert ordinary.serve(f"def handler(event, context): return {result}").body == body


def test_result_that_is_nested_too_deep_is_an_error_of_its_own(ordinary: Runtime) -> None:
    source = "def handler(e, c):\n    v = []\n    for _ in range(100_000): v = [v]\n    return v"
    assert ordinary.serve(source, leaf="error").header(ERROR_TYPE) == "Runtime.MarshalError"


def test_trace_id_is_set_for_its_event_only(ordinary: Runtime) -> None:
    value = "[os.environ.get('_X_AMZN_TRACE_ID'), c.trace_header]"
    source = f"import os\ndef handler(e, c): return {value}"
    traced = ordinary.serve(source, Lambda_Runtime_Trace_Id="Root=1-a")
    assert json.loads(traced.body) == ["Root=1-a", "Root=1-a"]
    assert json.loads(ordinary.serve(source).body) == [None, None]


def test_context_has_the_fields_of_the_stock_client(ordinary: Runtime) -> None:
    source = """
def handler(event, context):
    context.log(context)
    return [context.function_name, context.aws_request_id, context.invoked_function_arn,
            context.client_context.client.app_title, context.client_context.custom,
            context.identity.cognito_identity_id, context.tenant_id,
            context.get_remaining_time_in_millis() > 0]
"""
    answer = ordinary.serve(
        source,
        Lambda_Runtime_Client_Context='{"client":{"app_title":"t"},"custom":{"k":1}}',
        Lambda_Runtime_Cognito_Identity='{"cognitoIdentityId":"c"}',
        Lambda_Runtime_Aws_Tenant_Id="tenant",
    )
    arn = "arn:aws:lambda:us-east-1:1:function:f"
    assert json.loads(answer.body) == ["f", REQUEST_ID, arn, "t", {"k": 1}, "c", "tenant", True]
    assert f"LambdaContext([aws_request_id={REQUEST_ID}," in ordinary.new_output()


@pytest.mark.parametrize(
    ("source", "reach"),
    [
        ("raise KeyboardInterrupt", lambda _: None),
        ("def handler(event, context): raise KeyboardInterrupt", RuntimeApi.give_event),
        (
            "import awslambda\ndef stop(): raise KeyboardInterrupt\n"
            "def handler(event, context): awslambda.after_response(stop)",
            RuntimeApi.answer_to,
        ),
    ],
    ids=["import", "handler", "after_response"],
)
def test_interrupt_ends_the_process(
    tmp_path: Path, source: str, reach: Callable[[RuntimeApi], object]
) -> None:
    with running(tmp_path, source) as runtime:
        reach(runtime.api)
        assert runtime.finish()[0] == -signal.SIGINT
