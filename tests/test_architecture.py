"""Who may import whom, and how large a file may be."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
OURS = {"awslambda", "sluice", "functions", "local", "tests"}
MAY_IMPORT = {
    "functions": {"awslambda", "sluice"},
    "layers/runtime/python/awslambda": {"awslambda"},
    "layers/shared/python/sluice": {"sluice"},
    "local": {"local"},
}
STANDARD_LIBRARY_ONLY = ("layers/runtime/python/awslambda",)
MAX_LINES = 400


def imports_of(file: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level name of every import, those for types and inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import hides who is meant"
            yield node.lineno, str(node.module).partition(".")[0]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_parts_import_only_those_below_them(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in files
        for line, name in imports_of(file)
        if name in OURS - MAY_IMPORT[folder]
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", STANDARD_LIBRARY_ONLY)
def test_runtime_needs_nothing_but_python(folder: str) -> None:
    allowed = sys.stdlib_module_names | {"awslambda", "typing_extensions"}  # the latter for types
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for line, name in imports_of(file)
        if name not in allowed
    ]
    assert wrong == []


def test_each_function_is_one_thin_handler() -> None:
    folders = sorted((ROOT / "functions").iterdir())
    assert [folder.name for folder in folders] == ["connect", "default", "disconnect", "stream"]
    for folder in folders:
        assert [file.name for file in folder.glob("*.py")] == ["handler.py"]
        assert len((folder / "handler.py").read_text(encoding="utf-8").splitlines()) <= 80


def test_no_file_is_too_long_to_read() -> None:
    parts = ("bench", "examples", "functions", "layers", "local", "scripts", "tests")
    found = [file for part in parts for file in (ROOT / part).rglob("*.py")]
    # Not other people's: what a bench has installed is in a folder that begins with a dot.
    files = [file for file in found if "/." not in str(file.relative_to(ROOT))]
    long = {
        str(file.relative_to(ROOT)): lines
        for file in files
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert long == {}
