"""The function's log: text as AWS's client writes it, or JSON."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from awslambda.runtime_log import RuntimeLog, timestamp
from tests.awslambda.scripted_runtime_api import REQUEST_ID, running

if TYPE_CHECKING:
    from pathlib import Path

LOGGING = """
import logging
log = logging.getLogger("mine")
log.warning("while loading")
def handler(event, context):
    log.info("not by default")
    log.warning("two\\nlines", extra={"user": 7, "thing": object})
    try: 1 / 0
    except ZeroDivisionError: log.exception("oh")
"""
TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def output_of(folder: Path, source: str, **variables: str) -> str:
    """What the function printed while it served one event."""
    with running(folder, source, **variables) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.read_request()
        runtime.api.reply(202)
        runtime.api.expect_next()
        out, err = runtime.end()
    assert err == ""
    return out


def objects_of(output: str) -> list[dict[str, Any]]:
    # The last is the runtime's own farewell.
    return [json.loads(line) for line in output.splitlines()][:-1]


def test_text_has_level_time_and_request_id(tmp_path: Path) -> None:
    lines = output_of(tmp_path, LOGGING).splitlines()
    assert re.fullmatch(rf"\[WARNING\]\t{TIMESTAMP}\t\twhile loading", lines[0])
    assert re.fullmatch(rf"\[WARNING\]\t{TIMESTAMP}\t{REQUEST_ID}\ttwo", lines[1])
    assert lines[2] == "lines"
    assert re.fullmatch(rf"\[ERROR\]\t{TIMESTAMP}\t{REQUEST_ID}\toh", lines[3])
    assert lines[4] == "Traceback (most recent call last):"


def test_json_is_one_object_a_line_with_exceptions_in_it(tmp_path: Path) -> None:
    loading, warning, error = objects_of(output_of(tmp_path, LOGGING, AWS_LAMBDA_LOG_FORMAT="JSON"))
    assert loading.keys() == {"timestamp", "level", "message", "logger"}
    assert re.fullmatch(TIMESTAMP, warning.pop("timestamp"))
    assert warning == {
        "level": "WARNING",
        "message": "two\nlines",
        "logger": "mine",
        "user": 7,
        "thing": "<class 'object'>",
        "requestId": REQUEST_ID,
    }
    assert (error["message"], error["errorType"]) == ("oh", "ZeroDivisionError")
    assert error["errorMessage"] == "division by zero"
    assert "app.py" in error["stackTrace"][0]


def test_level_counts_with_json(tmp_path: Path) -> None:
    variables = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    messages = [line["message"] for line in objects_of(output_of(tmp_path, LOGGING, **variables))]
    assert "not by default" in messages
    variables["AWS_LAMBDA_LOG_LEVEL"] = "FATAL"
    assert objects_of(output_of(tmp_path, LOGGING, **variables)) == []


def test_exception_that_leaves_the_handler_is_json_too(tmp_path: Path) -> None:
    source = "def handler(event, context): raise ValueError('why')"
    (line,) = objects_of(output_of(tmp_path, source, AWS_LAMBDA_LOG_FORMAT="JSON"))
    assert (line["level"], line["message"], line["requestId"]) == ("ERROR", "why", REQUEST_ID)
    assert line["errorType"] == "ValueError"


def test_basic_config_of_the_function_adds_no_second_handler(tmp_path: Path) -> None:
    source = "import logging\nlogging.basicConfig(level=logging.INFO)\n" + LOGGING
    assert output_of(tmp_path, source).count("while loading") == 1


def test_formatter_of_the_functions_own_gets_its_lines_and_the_request_id(tmp_path: Path) -> None:
    source = """
import logging
logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(aws_request_id)s %(message)s"))
def handler(event, context):
    logging.warning("one")
    logging.warning("two")
"""
    lines = output_of(tmp_path, source).splitlines()
    assert lines[:2] == [f"{REQUEST_ID} one", f"{REQUEST_ID} two"]


def test_stack_info_is_told(tmp_path: Path) -> None:
    source = "import logging\ndef handler(e, c): logging.warning('where', stack_info=True)"
    assert "Stack (most recent call last)" in output_of(tmp_path, source)
    (line,) = objects_of(output_of(tmp_path, source, AWS_LAMBDA_LOG_FORMAT="JSON"))
    assert line["stackInfo"].startswith("Stack (most recent call last)")


def test_looking_for_logging_is_not_importing_it(tmp_path: Path) -> None:
    source = "import importlib.util\nimportlib.util.find_spec('logging')\n" + LOGGING
    assert f"\t{REQUEST_ID}\ttwo" in output_of(tmp_path, source)


def test_unknown_level_is_no_reason_not_to_start(tmp_path: Path) -> None:
    variables = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "VERBOSE"}
    assert objects_of(output_of(tmp_path, LOGGING, **variables))


def test_package_of_the_functions_own_called_logging_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "logging.py").write_text("mine = True")
    source = "import logging\ndef handler(event, context): print(logging.mine)"
    assert output_of(tmp_path, source).startswith("True\n")


def test_logging_that_is_imported_in_the_handler_is_set_up_then(tmp_path: Path) -> None:
    source = "def handler(event, context):\n    import logging\n    logging.error('late')"
    assert f"\t{REQUEST_ID}\tlate\n" in output_of(tmp_path, source)


def test_what_is_printed_comes_as_it_is(tmp_path: Path) -> None:
    source = "def handler(event, context): print('plain', 'text')"
    assert output_of(tmp_path, source).startswith("plain text\n")


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, "[WARNING] careful\n"),
        (
            {"AWS_LAMBDA_LOG_FORMAT": "JSON"},
            '{"timestamp": "2026-11-20T08:00:00.500Z", "level": "WARNING", "message": "careful"}\n',
        ),
    ],
)
def test_runtimes_own_warning(variables: dict[str, str], line: str) -> None:
    out = io.StringIO()
    RuntimeLog(variables, out, clock=lambda: 1795161600.5).warning("careful")
    assert out.getvalue() == line


def test_timestamp_is_utc_with_milliseconds() -> None:
    assert timestamp(0.0019) == "1970-01-01T00:00:00.001Z"
