"""What may import what, where a module belongs, and how long a file may be. See ARCHITECTURE.md."""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SLUICE = "layers/shared/python/sluice"
RUNTIME = "layers/runtime/python/awslambda"
OURS = {"awslambda", "sluice", "functions", "local", "tests"}
MAY_IMPORT = {
    "functions": {"awslambda", "sluice"},
    RUNTIME: {"awslambda"},
    SLUICE: {"sluice"},
    "local": {"local"},
}
MAX_LINES = 400
MAX_HANDLER_LINES = 80

FLOORS = {
    SLUICE: (
        "errors named_tuple digests text secret_mask authentication deadline stop_signal "
        "error_body xray trace request_log",
        "http",
        "aws",
        "setting_values limit_values settings key_ring",
        "state",
        "access cache upstream",
        "completions",
        "url websocket",
    ),
    "local": (
        "errors limits clock invocation console demo_model open_files",
        "project",
        "http runtime_api xray",
        "functions playground",
        "function_url api_gateway models",
        "banner other_banner npm_options stack command_line __main__",
    ),
}
"""The rooms of each part, from the ground up: packages, and modules outside a package. A room may
import the rooms below it. Rooms on one floor do not import each other, unless both are modules."""


class Import(NamedTuple):
    file: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def files_of(folder: str) -> list[Path]:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    return files


def imports_of(file: Path) -> Iterator[Import]:
    """Every import, also those for types and inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write the full name of the module"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                is_module = module_file(name) is not None
                yield Import(file, node.lineno, name if is_module else str(node.module))


def module_file(name: str) -> Path | None:
    """The file of a module, if it is ours."""
    for base in ("", "layers/runtime/python", "layers/shared/python"):
        path = ROOT / base / name.replace(".", "/")
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None


def room_of(file: Path, part: str) -> str:
    """The package directly below the part, or the module outside a package."""
    first = file.relative_to(ROOT / part).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_parts_import_only_the_parts_they_may(folder: str) -> None:
    forbidden = OURS - MAY_IMPORT[folder]
    imports = (found for file in files_of(folder) for found in imports_of(file))
    assert [str(found) for found in imports if found.module.split(".")[0] in forbidden] == []


def test_runtime_needs_nothing_but_python() -> None:
    allowed = sys.stdlib_module_names | {"awslambda", "typing_extensions"}  # the latter for types
    imports = (found for file in files_of(RUNTIME) for found in imports_of(file))
    assert [str(found) for found in imports if found.module.split(".")[0] not in allowed] == []


@pytest.mark.parametrize("part", FLOORS)
def test_rooms_import_only_rooms_below_them(part: str) -> None:
    floors = {room: n for n, rooms in enumerate(FLOORS[part]) for room in rooms.split()}
    packages = (ROOT / part).glob("*/__init__.py")
    purposes = {p.parent.name: ast.get_docstring(ast.parse(p.read_text("utf-8"))) for p in packages}
    wrong = []
    for file in files_of(part):
        room = room_of(file, part)
        if room == "__init__":
            continue
        assert room in floors, (
            f"{file.relative_to(ROOT)} has no room. Put it into a package ({purposes}), or, if it"
            " serves several of them, into FLOORS on the lowest floor that its imports allow."
        )
        for found in imports_of(file):
            imported = module_file(found.module)
            if imported is None or not imported.is_relative_to(ROOT / part):
                continue
            other = room_of(imported, part)
            are_modules = not any((ROOT / part / each).is_dir() for each in (room, other))
            is_below = floors.get(other, 0) < floors[room]
            if other not in (room, "__init__") and not (is_below or are_modules):
                wrong.append(f"{found}, which is not below it: what both need belongs below both")
    assert wrong == []


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_have_no_cycle(part: str) -> None:
    graph = {
        file: {m for found in imports_of(file) if (m := module_file(found.module)) is not None}
        for file in files_of(part)
        if file.name != "__init__.py"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        names = [str(file.relative_to(ROOT)) for file in error.args[1]]
        pytest.fail(f"a cycle: {' <- '.join(names)}. Move what two of them share below both.")


def test_floors_name_what_exists() -> None:
    for part, floors in FLOORS.items():
        for room in " ".join(floors).split():
            place = ROOT / part / room
            assert place.is_dir() or place.with_suffix(".py").is_file(), f"{part}/{room} is gone"


def test_each_function_is_one_thin_handler() -> None:
    folders = sorted(path for path in (ROOT / "functions").iterdir() if path.name != "__pycache__")
    names = ["connect", "control", "default", "disconnect", "stream"]
    assert [folder.name for folder in folders] == names
    for folder in folders:
        assert [file.name for file in folder.glob("*.py")] == ["handler.py"]
        lines = (folder / "handler.py").read_text(encoding="utf-8").splitlines()
        assert len(lines) <= MAX_HANDLER_LINES


def test_no_file_is_too_long_to_read() -> None:
    parts = ("bench", "examples", "functions", "layers", "local", "scripts", "tests")
    for file in [file for part in parts for file in (ROOT / part).rglob("*.py")]:
        # A bench installs its peers in a folder that begins with a dot.
        if "/." not in str(file.relative_to(ROOT)):
            assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_LINES, file
