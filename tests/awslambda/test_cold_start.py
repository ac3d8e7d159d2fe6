"""What a start costs: the modules it loads, the garbage collection meanwhile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.awslambda.scripted_runtime_api import BOOTSTRAP, running

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED = """
    abc app awslambda builtins codecs collections copyreg encodings enum errno functools gc
    genericpath io itertools json keyword marshal math operator os posix posixpath pwd re reprlib
    site stat sys time types zipimport
"""
"""Python's own modules at start, json, and what they import on Python 3.11 to 3.14."""
NEVER = {
    *("asyncio", "contextlib", "email", "http", "importlib", "logging", "runpy", "socket", "ssl"),
    *("traceback", "typing", "warnings"),
}
"""Slow modules that must not get onto the list by accident."""
HANDLER = "import sys\ndef handler(e, c): return sorted({m.partition('.')[0] for m in sys.modules})"
GARBAGE = """
import gc
{while_loading}
loading = gc.get_threshold()
def handler(event, context):
    return [loading, gc.get_threshold(), gc.get_freeze_count(), len(gc.get_objects(0)),
            len(gc.get_objects(2))]
"""
ALONE = {"PYTHONNOUSERSITE": "1", "COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
"""Keeps out modules that a user's installation or coverage would load at start."""
USUAL_THRESHOLDS = (700, 2000)  # in new objects: Python up to 3.12, and later


def answer_of(folder: Path, handler: str, **variables: str) -> Any:
    with running(folder, handler, **ALONE, **variables) as runtime:
        return json.loads(runtime.api.answer_to().body)


def test_handler_without_imports_loads_only_allowed_modules(tmp_path: Path) -> None:
    names: list[str] = answer_of(tmp_path, HANDLER)
    loaded = {name for name in names if not name.startswith("_") and "editable" not in name}
    assert loaded <= set(ALLOWED.split())
    assert not NEVER & set(ALLOWED.split())


def test_garbage_collection_is_rare_while_modules_load_and_usual_afterwards(tmp_path: Path) -> None:
    source = GARBAGE.format(while_loading="kept = [[] for _ in range(5000)]")
    loading, serving, frozen, young, old = answer_of(tmp_path, source)
    assert loading[0] > 5000
    assert serving[0] in USUAL_THRESHOLDS
    assert frozen == 0
    assert young < 5000 < old  # no event pays for a scan of the modules


def test_garbage_collection_settings_of_the_functions_module_are_kept(tmp_path: Path) -> None:
    source = GARBAGE.format(while_loading="gc.set_threshold(1234)\ngc.freeze()")
    _, serving, frozen, _, _ = answer_of(tmp_path, source)
    assert serving[0] == 1234
    assert frozen > 0


@pytest.mark.parametrize("variables", [{}, {"PYTHONSAFEPATH": "1"}])
def test_runtimes_modules_are_importable_from_their_package_only(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    source = "import sys\ndef handler(e, c): return [sys.path, sys.modules['awslambda'].__file__]"
    path, package = answer_of(tmp_path, source, **variables)
    layer = BOOTSTRAP.parent / "python"
    assert package == str(layer / "awslambda/__init__.py")
    assert str(layer) in path
    assert str(layer / "awslambda") not in path
