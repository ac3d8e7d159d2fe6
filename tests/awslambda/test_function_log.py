"""The function's log: text as AWS's client writes it, or JSON; one event for each message."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from awslambda.output import LogLines
from awslambda.runtime_log import RuntimeLog, timestamp
from tests.awslambda.scripted_runtime_api import LINE_END, REQUEST_ID, running

if TYPE_CHECKING:
    from pathlib import Path

LOGGING = """
import importlib.util
importlib.util.find_spec("logging")  # finding is not importing
import logging
logging.basicConfig(level=logging.INFO)  # does nothing, as there is a handler
log = logging.getLogger("mine")
log.warning("while loading")
def handler(event, context):
    log.info("not by default")
    log.warning("two\\nlines", extra={"user": 7, "thing": object})
    try: 1 / 0
    except ZeroDivisionError: log.exception("oh", stack_info=True)
"""
TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def output_of(folder: Path, source: str, **variables: str) -> str:
    """What the function printed while it served one event."""
    with running(folder, source, **variables) as runtime:
        runtime.api.give_event()
        runtime.api.read_request()
        runtime.api.reply(202)
        out = runtime.new_output()
        assert runtime.err.read_text() == ""
    return out


def objects_of(folder: Path, source: str, level: str = "") -> list[dict[str, Any]]:
    variables = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": level}
    return [json.loads(line) for line in output_of(folder, source, **variables).splitlines()]


def test_text_has_level_time_and_request_id(tmp_path: Path) -> None:
    lines = output_of(tmp_path, LOGGING).splitlines()
    assert re.fullmatch(rf"\[WARNING\]\t{TIMESTAMP}\t\twhile loading", lines[0])
    assert re.fullmatch(rf"\[WARNING\]\t{TIMESTAMP}\t{REQUEST_ID}\ttwo{LINE_END}lines", lines[1])
    error, first, *stack = lines[2].split(LINE_END)
    assert re.fullmatch(rf"\[ERROR\]\t{TIMESTAMP}\t{REQUEST_ID}\toh", error)
    assert first == "Traceback (most recent call last):"
    assert "Stack (most recent call last):" in stack
    assert len(lines) == 3


def test_json_is_one_object_per_line_with_exceptions_in_it(tmp_path: Path) -> None:
    loading, warning, error = objects_of(tmp_path, LOGGING)
    assert loading.keys() == {"timestamp", "level", "message", "logger", "requestId"}
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
    assert error["location"].endswith("/app.py:handler:12")
    assert error["stackInfo"].startswith("Stack (most recent call last)")


@pytest.mark.parametrize(
    ("level", "messages"),
    [
        ("INFO", ["while loading", "not by default", "two\nlines", "oh"]),
        ("FATAL", []),
        ("VERBOSE", ["while loading", "two\nlines", "oh"]),
    ],
)
def test_level_counts_unless_it_is_unknown(tmp_path: Path, level: str, messages: list[str]) -> None:
    assert [line["message"] for line in objects_of(tmp_path, LOGGING, level)] == messages


def test_exception_that_leaves_the_handler_is_json_too(tmp_path: Path) -> None:
    source = "def handler(event, context): raise ValueError('why')"
    (line,) = objects_of(tmp_path, source)
    assert (line["level"], line["errorMessage"], line["requestId"]) == ("ERROR", "why", REQUEST_ID)
    assert line["errorType"] == "ValueError"


def test_functions_own_formatter_gets_the_request_id(tmp_path: Path) -> None:
    source = """
import logging
logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(aws_request_id)s %(message)s"))
def handler(event, context):
    logging.warning("one")
    logging.warning("two")
"""
    lines = output_of(tmp_path, source).splitlines()
    assert lines[:2] == [f"{REQUEST_ID} one", f"{REQUEST_ID} two"]


def test_functions_own_package_called_logging_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "logging.py").write_text("mine = True")
    source = "import logging\ndef handler(event, context): print(logging.mine)"
    assert output_of(tmp_path, source).startswith("True\n")


def test_output_is_unchanged_and_a_late_import_of_logging_is_set_up(tmp_path: Path) -> None:
    source = "def handler(event, context):\n    print('plain', 'text')\n    import logging\n"
    out = output_of(tmp_path, f"{source}    logging.error('late')")
    assert out.startswith("plain text\n[ERROR]\t")
    assert out.endswith(f"\t{REQUEST_ID}\tlate\n")


def test_logging_that_python_imported_before_the_runtime_is_set_up(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import logging")
    assert f"\toh{LINE_END}" in output_of(tmp_path, LOGGING, PYTHONPATH=str(tmp_path))


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
    RuntimeLog(variables, LogLines(out), clock=lambda: 1795161600.5).warning("careful")
    assert out.getvalue() == line


def test_timestamp_is_utc_with_milliseconds() -> None:
    assert timestamp(0.0019) == "1970-01-01T00:00:00.001Z"
