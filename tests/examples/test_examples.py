"""The functions in examples/ run by the real bootstrap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import REQUEST_ID, running
from tests.examples.example_sources import STREAMED_PRELUDE, STREAMED_WORDS, source_of

if TYPE_CHECKING:
    from pathlib import Path


def test_streaming_function_sends_each_word_as_it_is_written(tmp_path: Path) -> None:
    with running(tmp_path, source_of("streaming_function")) as runtime:
        for _ in range(2):
            runtime.api.expect_next()
            runtime.api.give_event(b'{"rawPath": "/"}')
            answer = runtime.api.expect_answer()
            assert answer.header("Lambda-Runtime-Function-Response-Mode") == "streaming"
            assert answer.chunks == [STREAMED_PRELUDE, *STREAMED_WORDS]
            assert answer.trailers == []
        runtime.api.expect_next()


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"queryStringParameters": {"name": "Ada"}}, "Hello, Ada"),
        ({"rawPath": "/"}, "Hello, world"),
    ],
)
def test_ordinary_function_answers_from_its_event_and_context(
    tmp_path: Path, event: dict[str, object], message: str
) -> None:
    with running(tmp_path, source_of("ordinary_function")) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event(json.dumps(event).encode())
        answer = runtime.api.expect_answer()
        runtime.api.expect_next()
    result = json.loads(answer.body)
    assert answer.header("Content-Type") == "application/json"
    assert result["statusCode"] == 200
    assert result["headers"] == {"Content-Type": "application/json"}
    assert json.loads(result["body"]) == {"message": message, "requestId": REQUEST_ID}


def test_ordinary_function_logs_under_its_request(tmp_path: Path) -> None:
    with running(tmp_path, source_of("ordinary_function")) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.expect_answer()
        runtime.api.expect_next()
        logged, _ = runtime.end()
    (line,) = [line for line in logged.splitlines() if line.endswith(" ms left")]
    assert line.startswith("[INFO]")
    assert REQUEST_ID in line
