"""Layers have the bytecode of the functions' Python, if the machine that builds them has it."""

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
from scripts.compile_handlers import main
from tests.packaging.packaged_service import CHECKOUT
from tests.scripts.setup_checkout import write_program

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = sys.implementation.cache_tag
UNCHECKED_HASH, CHECKED_HASH = 0b01, 0b11  # PEP 552
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


def test_every_module_has_bytecode_that_is_loaded_unchecked_and_names_opt(tmp_path: Path) -> None:
    layers = built(tmp_path)
    found = set(layers.rglob("*.pyc"))
    for layer in layers.iterdir():
        for module in layer.rglob("*.py"):
            file = module.parent / "__pycache__" / f"{module.stem}.{TAG}.pyc"
            found.remove(file)
            content = file.read_bytes()
            assert content[:4] == importlib.util.MAGIC_NUMBER
            assert int.from_bytes(content[4:8], "little") == UNCHECKED_HASH
            code = marshal.loads(content[PYC_HEADER_BYTES:])  # noqa: S302 -- just compiled
            assert isinstance(code, CodeType)
            assert code.co_filename == f"/opt/{module.relative_to(layer)}"
            assert bytes(tmp_path) not in content
    assert found == set()


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


def test_first_python_of_the_right_version_that_runs_is_taken(tmp_path: Path) -> None:
    programs = {
        "shims": "echo 'not installed' >&2; exit 127",
        "older": "echo cpython-98",
        "other": "echo pypy99",
        "broken": "exit 0",
        "right": "echo cpython-99",
    }
    for folder, text in programs.items():
        (tmp_path / folder).mkdir()
        write_program(tmp_path / folder / "python9.9", f"#!/bin/sh\n{text}\n")
    path = ":".join(str(tmp_path / folder) for folder in ("absent", *programs))
    right = str(tmp_path / "right" / "python9.9")
    candidates = pythons_on(path, "9.9")
    assert find_python("9.9", candidates) == right
    assert find_python("9.9", [name for name in candidates if name != right]) is None
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


def test_handlers_have_bytecode_that_is_checked_and_names_the_task_root(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = tmp_path / "functions" / "one" / "handler.py"
    handler.parent.mkdir(parents=True)
    handler.write_text("KINDS = {'b', 'a'} | {'c'}\n")
    assert main(tmp_path / "functions", VERSION) == 0
    assert capsys.readouterr().out == f"{TAG}\n"
    file = handler.parent / "__pycache__" / f"handler.{TAG}.pyc"
    content = file.read_bytes()
    assert int.from_bytes(content[4:8], "little") == CHECKED_HASH
    code = marshal.loads(content[PYC_HEADER_BYTES:])  # noqa: S302 -- just compiled
    assert code.co_filename == "/var/task/functions/one/handler.py"
    handler.write_text("print('changed')\n")
    source = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import functions.one.handler"
    command = [sys.executable, "-c", source]
    assert subprocess.check_output(command, env={}, text=True) == "changed\n"


def test_handlers_are_not_compiled_without_the_functions_python_or_with_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "handler.py").write_text("def\n")
    assert main(tmp_path, "9.9") == 0
    assert capfd.readouterr() == ("", "")
    assert main(tmp_path, VERSION) == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    assert f"Python {VERSION} cannot compile the handlers named above" in printed.err
