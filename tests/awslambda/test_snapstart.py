"""SnapStart: the snapshot comes after the handler is loaded, hooks run around it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import Runtime, running

if TYPE_CHECKING:
    from pathlib import Path

ON = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
PACKAGE = """
_before, _after = [], []
def register_before_snapshot(function, *args, **kwargs): _before.append((function, args, kwargs))
def register_after_restore(function, *args, **kwargs): _after.append((function, args, kwargs))
def get_before_snapshot(): return _before
def get_after_restore(): return _after
"""
HOOKED = """
import snapshot_restore_py as hooks
calls = []
hooks.register_before_snapshot(calls.append, "before 1")
hooks.register_before_snapshot(calls.append, "before 2")
hooks.register_after_restore(calls.append, "after 1")
hooks.register_after_restore(calls.append, "after 2")
def handler(event, context): return calls
"""


def pass_restore(runtime: Runtime, status: int = 200) -> None:
    request = runtime.api.read_request()
    assert (request.method, request.target) == ("GET", "/2018-06-01/runtime/restore/next")
    runtime.api.reply(status)


def test_hooks_run_around_the_snapshot(tmp_path: Path) -> None:
    (tmp_path / "snapshot_restore_py.py").write_text(PACKAGE)
    with running(tmp_path, HOOKED, **ON) as runtime:
        pass_restore(runtime)
        calls = json.loads(runtime.api.answer_to().body)
    assert calls == ["before 2", "before 1", "after 1", "after 2"]


def test_function_without_hooks_serves_even_if_its_connection_did_not_survive_the_snapshot(
    tmp_path: Path,
) -> None:
    with running(tmp_path, "def handler(event, context): return 1", **ON) as runtime:
        pass_restore(runtime)
        runtime.api.drop_connection()
        assert runtime.api.answer_to().body == b"1"
        assert runtime.api.connections_made == 2


def test_snapshot_that_lambda_rejects_ends_the_process(tmp_path: Path) -> None:
    with running(tmp_path, "def handler(event, context): return 1", **ON) as runtime:
        pass_restore(runtime, status=403)
        code, out, _ = runtime.finish()
    assert code == 1
    assert "the Runtime API answered 403 to restore/next" in out


@pytest.mark.parametrize(
    ("hook", "target", "error_type", "code"),
    [
        ("before_snapshot", "init/error", "Runtime.BeforeSnapshotError", 64),
        ("after_restore", "restore/error", "Runtime.AfterRestoreError", 65),
    ],
)
def test_failed_hook_is_reported_and_ends_the_process(
    tmp_path: Path, hook: str, target: str, error_type: str, code: int
) -> None:
    (tmp_path / "snapshot_restore_py.py").write_text(PACKAGE)
    source = f"{HOOKED}\nhooks.register_{hook}(int, 'no number')"
    with running(tmp_path, source, **ON) as runtime:
        if hook == "after_restore":
            pass_restore(runtime)
        request = runtime.api.read_request()
        runtime.api.reply(202)
        exit_code, out, _ = runtime.finish()
    assert request.target == f"/2018-06-01/runtime/{target}"
    assert request.header("Lambda-Runtime-Function-Error-Type") == error_type
    assert json.loads(request.body)["errorType"] == "ValueError"
    assert "[ERROR] ValueError" in out
    assert exit_code == code
