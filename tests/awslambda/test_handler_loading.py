"""From the handler string to the callable, and what is reported if there is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import running

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("source", "handler", "error_type"),
    [
        ("import no_such_module", "app.handler", "Runtime.ImportModuleError"),
        ("def handler(:", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("x = 1", "app.handler", "Runtime.HandlerNotFound"),
        ("x = 1", "handler", "Runtime.MalformedHandlerName"),
        ("x = 1", "sys.handler", "Runtime.BuiltInModuleConflict"),
        ("raise SystemExit(3)", "app.handler", "Runtime.ExitError"),
        ("raise LookupError('mine')", "app.handler", "LookupError"),
    ],
)
def test_function_that_cannot_start_reports_why(
    tmp_path: Path, source: str, handler: str, error_type: str
) -> None:
    with running(tmp_path, source, handler) as runtime:
        report = runtime.api.read_request()
        runtime.api.reply(202)
        code, out, _ = runtime.finish()
    assert report.target == "/2018-06-01/runtime/init/error"
    assert json.loads(report.body)["errorType"] == error_type
    assert report.header("Lambda-Runtime-Function-Error-Type") == error_type
    assert error_type in out
    assert code == 1


def test_handler_in_a_folder_imports_from_the_task_root(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package/module.py").write_text("import app\ndef go(e, c): return app.VALUE")
    with running(tmp_path, "VALUE = 7", "package/module.go") as runtime:
        assert runtime.api.answer_to().body == b"7"
