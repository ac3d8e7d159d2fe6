"""What a start costs: which modules are loaded, how often garbage is looked for meanwhile."""

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
"""Python's own start-up and json, and what these bring on Python 3.11 to 3.14."""
NEVER = ["asyncio", "contextlib", "email", "http", "importlib", "logging", "runpy", "socket", "ssl"]
NEVER += ["traceback", "typing", "warnings"]
HANDLER = "import sys\ndef handler(e, c): return sorted({m.partition('.')[0] for m in sys.modules})"
GARBAGE = """
import gc
{while_loading}
loading = gc.get_threshold()
def handler(event, context):
    return [loading, gc.get_threshold(), gc.get_freeze_count(), len(gc.get_objects(0)),
            len(gc.get_objects(2))]
"""
USUAL_THRESHOLD = (700, 2000)  # of new objects, up to Python 3.12 and since


def answer_of(folder: Path, handler: str, **variables: str) -> Any:
    with running(folder, handler, PYTHONNOUSERSITE="1", **variables) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        return json.loads(runtime.api.expect_answer().body)


def modules_of(folder: Path, handler: str) -> set[str]:
    names: list[str] = answer_of(folder, handler)
    return {name for name in names if not name.startswith("_") and "editable" not in name}


def test_handler_without_imports_loads_what_is_listed_and_no_more(tmp_path: Path) -> None:
    assert modules_of(tmp_path, HANDLER) <= set(ALLOWED.split())


@pytest.mark.parametrize("package", NEVER)
def test_what_must_never_come_by_accident_is_not_allowed(package: str) -> None:
    assert package not in ALLOWED.split()


def test_garbage_is_looked_for_seldom_while_modules_are_loaded_and_as_usual_then(
    tmp_path: Path,
) -> None:
    source = GARBAGE.format(while_loading="kept = [[] for _ in range(5000)]")
    loading, serving, frozen, young, old = answer_of(tmp_path, source)
    assert loading[0] > 5000
    assert serving[0] in USUAL_THRESHOLD
    assert frozen == 0
    assert young < 5000 < old  # no event pays for looking through what was loaded


def test_what_the_functions_module_asks_of_the_garbage_collector_stands(tmp_path: Path) -> None:
    source = GARBAGE.format(while_loading="gc.set_threshold(1234)\ngc.freeze()")
    _, serving, frozen, _, _ = answer_of(tmp_path, source)
    assert serving[0] == 1234
    assert frozen > 0


@pytest.mark.parametrize("variables", [{}, {"PYTHONSAFEPATH": "1"}])
def test_runtimes_modules_are_found_in_their_package_alone(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    source = "import sys\ndef handler(e, c): return [sys.path, sys.modules['awslambda'].__file__]"
    path, package = answer_of(tmp_path, source, **variables)
    layer = BOOTSTRAP.parent / "python"
    assert package == str(layer / "awslambda/__init__.py")
    assert str(layer) in path
    assert str(layer / "awslambda") not in path
