from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.packaged_service import CHECKOUT, Package

pytestmark = pytest.mark.timeout(300)  # see test_template.py

FUNCTIONS = ("connect", "disconnect", "default", "stream")
LAYERS = ("runtime", "shared")
PACKAGES = {"certifi", "sseclient"}

# Bytes, with bytecode. Each is above today's size, and an accident such as boto3 (15 MB) far above.
LARGEST_ZIP = {"runtime": 100_000, "shared": 2_000_000, **dict.fromkeys(FUNCTIONS, 20_000)}


def sources(folder: str) -> set[str]:
    return {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / folder).rglob("*.py")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_holds_its_own_modules_alone(by_default: Package, name: str) -> None:
    assert set(by_default.names_in(name)) == sources(f"functions/{name}")


def test_runtime_layer_holds_the_wrapper_and_awslambda_alone(by_default: Package) -> None:
    modules = {name.removeprefix("layers/runtime/") for name in sources("layers/runtime/python")}
    shipped = set(by_default.names_in("runtime"))
    assert shipped >= {"bootstrap", *modules}
    assert {name.split("/")[0] for name in shipped} == {"bootstrap", "python"}
    assert {name.split("/")[1] for name in shipped - {"bootstrap"}} == {"awslambda"}


def test_wrapper_is_executable(by_default: Package, customized: Package) -> None:
    for package in (by_default, customized):
        assert package.modes_in("runtime")["bootstrap"] == 0o100755


def test_shared_layer_holds_sluice_and_the_locked_packages(by_default: Package) -> None:
    modules = {name.removeprefix("layers/shared/") for name in sources("layers/shared/python")}
    shipped = set(by_default.names_in("shared"))
    assert shipped >= modules
    folders = {name.split("/")[1] for name in shipped if name.count("/") > 1}
    assert {name for name in folders if not name.endswith(".dist-info")} == {*PACKAGES, "sluice"}


def test_nothing_in_the_shared_layer_is_for_one_architecture_alone(by_default: Package) -> None:
    names = by_default.names_in("shared")
    assert not [name for name in names if name.endswith((".so", ".abi3.so", ".pyd"))]


@pytest.mark.parametrize("name", [*FUNCTIONS, *LAYERS])
def test_nothing_needless_is_shipped(by_default: Package, name: str) -> None:
    for shipped in by_default.names_in(name):
        parts = shipped.split("/")
        assert not {"bin", "tests", "RECORD", "notes.txt", ".env"} & set(parts)
    assert (by_default.folder / f"{name}.zip").stat().st_size <= LARGEST_ZIP[name]


@pytest.mark.parametrize("name", LAYERS)
def test_bytecode_is_that_of_the_shipped_modules_or_none(by_default: Package, name: str) -> None:
    shipped = set(by_default.names_in(name))
    bytecode = {name for name in shipped if "__pycache__" in name or name.endswith(".pyc")}
    modules = (Path(name) for name in shipped if name.endswith(".py"))
    complete = {f"{file.parent}/__pycache__/{file.stem}.cpython-313.pyc" for file in modules}
    assert bytecode in (complete, set())  # none where this machine has no Python 3.13


@pytest.mark.parametrize("name", [*FUNCTIONS, *LAYERS])
def test_a_build_elsewhere_gives_the_same_bytes(
    by_default: Package, customized: Package, name: str
) -> None:
    assert by_default.sha256_of(name) == customized.sha256_of(name)
