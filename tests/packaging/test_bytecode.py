"""Layers come with the bytecode of the functions' Python, where the machine that builds has it."""

from __future__ import annotations

import importlib.util
import marshal
import shutil
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest

from scripts.build_layers import (
    add_bytecode,
    build_layers,
    compile_layers,
    find_python,
    pythons_on,
)
from tests.packaging.packaged_service import CHECKOUT

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
UNCHECKED_HASH = 0b01  # PEP 552
PYC_HEADER_BYTES = 16


def built(folder: Path) -> Path:
    """The layers as this Python would have them, from sources with leftovers of another."""
    packages = folder / "packages"
    (packages / "somepackage").mkdir(parents=True)
    (packages / "somepackage" / "__init__.py").write_text("KINDS = {'b', 'a'} | {'c'}\n")
    leftover = folder / "sources" / "runtime" / "python" / "__pycache__" / "gone.cpython-38.pyc"
    shutil.copytree(CHECKOUT / "layers", folder / "sources")
    leftover.parent.mkdir(exist_ok=True)
    leftover.write_bytes(b"not to be shipped")
    build_layers(folder / "sources", folder / "built", packages)
    compile_layers(folder / "built", sys.executable)
    return folder / "built"


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def program(path: Path, *lines: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)
    return str(path)


def test_every_module_has_its_bytecode_and_nothing_else_does(tmp_path: Path) -> None:
    layers = built(tmp_path)
    tag = sys.implementation.cache_tag
    expected = {
        module.parent / "__pycache__" / f"{module.stem}.{tag}.pyc"
        for module in layers.rglob("*.py")
    }
    assert set(layers.rglob("*.pyc")) == expected
    assert len(expected) > 20


def test_bytecode_is_loaded_unchecked_and_names_opt(tmp_path: Path) -> None:
    layers = built(tmp_path)
    for file in layers.rglob("*.pyc"):
        content = file.read_bytes()
        assert content[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(content[4:8], "little") == UNCHECKED_HASH
        code = marshal.loads(content[PYC_HEADER_BYTES:])  # noqa: S302 -- just compiled
        assert isinstance(code, CodeType)
        layer = layers / file.relative_to(layers).parts[0]
        module = importlib.util.source_from_cache(str(file.relative_to(layer)))
        assert code.co_filename == f"/opt/{module}"
        assert bytes(tmp_path) not in content


def test_two_folders_give_the_same_bytes(tmp_path: Path) -> None:
    first = built(tmp_path / "here")
    second = built(tmp_path / "somewhere" / "with" / "a" / "longer" / "name")
    assert files_in(first) == files_in(second)


def test_function_runs_the_bytecode_whatever_the_sources_time(tmp_path: Path) -> None:
    layer = built(tmp_path) / "shared" / "python"
    (layer / "somepackage" / "__init__.py").write_text("raise SystemExit('compiled again')\n")
    code = "import somepackage; print(sorted(somepackage.KINDS), somepackage.__file__)"
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(layer)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.startswith("['a', 'b', 'c'] ")


def test_python_is_found_behind_one_that_only_seems_to_be_there(tmp_path: Path) -> None:
    shim = program(tmp_path / "shims" / "python9.9", "echo 'not installed' >&2", "exit 127")
    older = program(tmp_path / "older" / "python9.9", "echo cpython-98")
    other = program(tmp_path / "other" / "python9.9", "echo pypy99")
    broken = program(tmp_path / "broken" / "python9.9", "exit 0")
    right = program(tmp_path / "right" / "python9.9", "echo cpython-99")
    folders = [Path(name).parent for name in (shim, older, other, broken, right)]
    path = ":".join(map(str, [tmp_path / "absent", *folders]))
    assert find_python("9.9", pythons_on(path, "9.9")) == right
    assert find_python("9.9", [shim, older, other, broken, str(tmp_path / "absent")]) is None


def test_this_python_is_taken_where_it_is_the_functions_own() -> None:
    assert find_python(VERSION, pythons_on("", VERSION)) == sys.executable


def test_build_without_the_functions_python_says_what_it_costs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add_bytecode(tmp_path, "9.9", path="") == 0
    assert capsys.readouterr().err == (
        "The layers ship without bytecode: python9.9 is missing here. Functions start slower,"
        " because they compile their modules.\n"
    )


def test_module_that_does_not_compile_stops_the_build(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    module = tmp_path / "runtime" / "python" / "broken.py"
    module.parent.mkdir(parents=True)
    module.write_text("def\n")
    assert add_bytecode(tmp_path, VERSION, path="") == 1
    printed = capfd.readouterr()
    assert "/opt/python/broken.py" in printed.out
    assert f"Python {VERSION} cannot compile the modules named above" in printed.err
