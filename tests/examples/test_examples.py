"""The functions in examples/ run by the real bootstrap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.awslambda.scripted_runtime_api import REQUEST_ID, running
from tests.examples.example_sources import STREAMED_PRELUDE, STREAMED_WORDS, source_of

if TYPE_CHECKING:
    from pathlib import Path


def test_streaming_function_sends_each_word_as_it_is_written(tmp_path: Path) -> None:
    with running(tmp_path, source_of("streaming_function")) as runtime:
        answer = runtime.api.answer_to(b'{"rawPath": "/"}')
        assert answer.header("Lambda-Runtime-Function-Response-Mode") == "streaming"
        assert answer.chunks == [STREAMED_PRELUDE, *STREAMED_WORDS]
        assert answer.trailers == []
        runtime.api.expect_next()


def test_ordinary_function_answers_from_its_event_and_logs_under_its_request(
    tmp_path: Path,
) -> None:
    with running(tmp_path, source_of("ordinary_function")) as runtime:
        for event, name in (
            (b'{"queryStringParameters": {"name": "Ada"}}', "Ada"),
            (b'{"rawPath": "/"}', "world"),
        ):
            answer = runtime.api.answer_to(event)
            result = json.loads(answer.body)
            assert answer.header("Content-Type") == "application/json"
            assert result["statusCode"] == 200
            assert result["headers"] == {"Content-Type": "application/json"}
            body = {"message": f"Hello, {name}", "requestId": REQUEST_ID}
            assert json.loads(result["body"]) == body
            lines = runtime.new_output().splitlines()
            (line,) = [line for line in lines if line.endswith(" ms left")]
            assert line.startswith("[INFO]")
            assert REQUEST_ID in line
