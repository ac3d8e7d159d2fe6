"""AWS's own Runtime Interface Emulator accepts what this runtime sends to the Runtime API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.awslambda.emulator import Emulator, emulating, emulator_architecture, emulator_program
from tests.awslambda.scripted_runtime_api import streamed
from tests.examples.example_sources import STREAMED_PRELUDE, STREAMED_WORDS, source_of

ARCHITECTURE = emulator_architecture()
pytestmark = [
    pytest.mark.skipif(
        ARCHITECTURE is None,
        reason="AWS publishes its emulator for Linux on x86_64 and arm64 only",
    ),
    pytest.mark.timeout(300),  # the first run of a clone downloads from a package registry
]

SUCCEEDED = "INVOKE RTDONE(status: success"
COMPLAINTS = ("ERROR", "panic", "rejected", "not delivered", "no reply", "Traceback")


@pytest.fixture(scope="session")
def program() -> Path:
    return emulator_program(str(ARCHITECTURE))


def assert_no_complaint(emulator: Emulator, invocations: int) -> None:
    log = emulator.log()
    assert log.count(SUCCEEDED) == invocations, log
    assert [word for word in COMPLAINTS if word in log] == [], log


def test_ordinary_function_answers_the_events_before_and_after_a_failure(
    program: Path, tmp_path: Path
) -> None:
    with emulating(program, tmp_path, source_of("ordinary_function")) as emulator:
        first = json.loads(emulator.invoke(b'{"queryStringParameters": {"name": "Ada"}}'))
        assert_no_complaint(emulator, invocations=1)
        failure = json.loads(emulator.invoke(b'"no object"'))
        second = json.loads(emulator.invoke(b"{}"))
        log = emulator.log()
    assert failure["errorType"] == "AttributeError"
    for answer, name in ((first, "Ada"), (second, "world")):
        body = json.loads(answer["body"])
        assert answer["statusCode"] == 200
        assert answer["headers"] == {"Content-Type": "application/json"}
        assert body["message"] == f"Hello, {name}"
        assert f"START RequestId: {body['requestId']}" in log


def test_streamed_answer_arrives_whole_with_its_prelude(program: Path, tmp_path: Path) -> None:
    with emulating(program, tmp_path, source_of("streaming_function")) as emulator:
        assert emulator.invoke(b"{}") == STREAMED_PRELUDE + b"".join(STREAMED_WORDS)
        assert_no_complaint(emulator, invocations=1)


def test_event_after_error_trailers_is_served(program: Path, tmp_path: Path) -> None:
    source = streamed("response_stream.write('begun')", "event['ended'] and response_stream.end()")
    with emulating(program, tmp_path, source) as emulator:
        assert emulator.invoke(b"{}") == b"begun"  # it drops the trailers, with their KeyError
        assert emulator.invoke(b'{"ended": true}') == b"begun"
        assert "rejected" not in emulator.log()
        assert emulator.log().count("KeyError") == 1
