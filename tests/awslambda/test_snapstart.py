"""SnapStart: the snapshot is offered after the handler is loaded, hooks run around it."""

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


def expect_restore_next(runtime: Runtime) -> None:
    request = runtime.api.read_request()
    assert (request.method, request.target) == ("GET", "/2018-06-01/runtime/restore/next")


def test_hooks_run_around_the_snapshot(tmp_path: Path) -> None:
    (tmp_path / "snapshot_restore_py.py").write_text(PACKAGE)
    with running(tmp_path, HOOKED, **ON) as runtime:
        expect_restore_next(runtime)
        runtime.api.reply(200)
        runtime.api.expect_next()
        runtime.api.give_event()
        calls = json.loads(runtime.api.expect_answer().body)
    assert calls == ["before 2", "before 1", "after 1", "after 2"]


def test_function_without_hooks_is_offered_too(tmp_path: Path) -> None:
    with running(tmp_path, "def handler(event, context): return 1", **ON) as runtime:
        expect_restore_next(runtime)
        runtime.api.reply(200)
        runtime.api.expect_next()


def test_connection_that_did_not_survive_the_snapshot_is_opened_anew(tmp_path: Path) -> None:
    with running(tmp_path, "def handler(event, context): return 1", **ON) as runtime:
        expect_restore_next(runtime)
        runtime.api.reply(200)
        runtime.api.drop_connection()
        runtime.api.expect_next()
        assert runtime.api.connections_made == 2


def test_ordinary_start_offers_no_snapshot(tmp_path: Path) -> None:
    with running(tmp_path, "def handler(event, context): return 1") as runtime:
        runtime.api.expect_next()


@pytest.mark.parametrize(
    ("hook", "target", "error_type", "code"),
    [
        ("before_snapshot", "init/error", "Runtime.BeforeSnapshotError", 64),
        ("after_restore", "restore/error", "Runtime.AfterRestoreError", 65),
    ],
)
def test_hook_that_fails_is_reported_and_ends_the_process(
    tmp_path: Path, hook: str, target: str, error_type: str, code: int
) -> None:
    (tmp_path / "snapshot_restore_py.py").write_text(PACKAGE)
    source = f"{HOOKED}\nhooks.register_{hook}(int, 'no number')"
    with running(tmp_path, source, **ON) as runtime:
        if hook == "after_restore":
            expect_restore_next(runtime)
            runtime.api.reply(200)
        request = runtime.api.read_request()
        runtime.api.reply(202)
        exit_code, out, _ = runtime.finish()
    assert request.target == f"/2018-06-01/runtime/{target}"
    assert request.header("Lambda-Runtime-Function-Error-Type") == error_type
    assert json.loads(request.body)["errorType"] == "ValueError"
    assert "[ERROR] ValueError" in out
    assert exit_code == code
