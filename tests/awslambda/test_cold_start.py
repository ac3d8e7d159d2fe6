"""The modules a function without imports loads: each is time that every cold start takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import running

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED = """
    abc app array awslambda binascii builtins codecs collections contextlib copyreg encodings enum
    errno functools genericpath importlib io itertools json keyword marshal math operator os posix
    posixpath pwd re reprlib runpy select selectors site socket stat sys time types typing warnings
    zipimport
"""
"""Python's own start-up, json, socket and typing, and what these bring on Python 3.11 to 3.14."""
HANDLER = "import sys\ndef handler(e, c): return sorted({m.partition('.')[0] for m in sys.modules})"


def modules_of(folder: Path, handler: str) -> set[str]:
    with running(folder, handler, PYTHONNOUSERSITE="1") as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        names: list[str] = json.loads(runtime.api.expect_answer().body)
    return {name for name in names if not name.startswith("_") and "editable" not in name}


def test_handler_without_imports_loads_what_is_listed_and_no_more(tmp_path: Path) -> None:
    assert modules_of(tmp_path, HANDLER) <= set(ALLOWED.split())


@pytest.mark.parametrize("package", ["asyncio", "email", "http", "logging", "ssl", "traceback"])
def test_what_must_never_come_by_accident_is_not_allowed(package: str) -> None:
    assert package not in ALLOWED.split()
