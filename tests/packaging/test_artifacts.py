"""What the zips hold that `sls package` makes."""

from __future__ import annotations

from pathlib import Path

from tests.packaging.packaged_service import CHECKOUT, Package

# Bytes, with bytecode. Each is above today's size, and an accident such as boto3 (15 MB) far above.
LARGEST_FUNCTION = 20_000
LARGEST_LAYER = {"runtime": 150_000, "shared": 2_300_000}
FUNCTIONS = ("connect", "disconnect", "control", "default", "stream")
LAYERS = tuple(LARGEST_LAYER)
PACKAGES = (
    *("aws_xray_sdk", "certifi", "charset_normalizer", "idna", "requests", "urllib3", "wrapt"),
)
NEEDLESS = {"bin", "tests", "RECORD", "notes.txt", ".env"}


def modules_in(folder: str) -> set[str]:
    return {str(path.relative_to(CHECKOUT / folder)) for path in (CHECKOUT / folder).rglob("*.py")}


def test_function_holds_only_its_own_modules(by_default: Package) -> None:
    for name in FUNCTIONS:
        own = {f"functions/{name}/{module}" for module in modules_in(f"functions/{name}")}
        assert set(by_default.names_in(name)) in (own, own | bytecode_of(own))


def bytecode_of(modules: set[str]) -> set[str]:
    files = [Path(name) for name in modules]
    return {f"{file.parent}/__pycache__/{file.stem}.cpython-313.pyc" for file in files}


def test_layers_hold_the_sources_and_the_locked_packages(by_default: Package) -> None:
    runtime, shared = (set(by_default.names_in(name)) for name in LAYERS)
    assert runtime >= {"bootstrap", *modules_in("layers/runtime")}
    assert shared >= modules_in("layers/shared")
    assert {name.split("/")[0] for name in runtime | shared} == {"bootstrap", "python"}
    assert packages_in(runtime) == {"awslambda"}
    assert packages_in(shared) == {"sluice", *PACKAGES}
    # Nothing is for one architecture alone.
    assert not [name for name in shared if name.endswith((".so", ".pyd"))]


def packages_in(shipped: set[str]) -> set[str]:
    folders = {name.split("/")[1] for name in shipped if name.count("/") > 1}
    # A module that stands alone, such as socks.py, has its bytecode next to the packages.
    return {name for name in folders if not name.endswith((".dist-info", "__pycache__"))}


def test_wrapper_is_executable(by_default: Package, customized: Package) -> None:
    for package in (by_default, customized):
        assert package.modes_in("runtime")["bootstrap"] == 0o100755


def test_nothing_needless_is_shipped(by_default: Package) -> None:
    largest = {**LARGEST_LAYER, **dict.fromkeys(FUNCTIONS, LARGEST_FUNCTION)}
    for name, size in largest.items():
        for shipped in by_default.names_in(name):
            assert not NEEDLESS & set(shipped.split("/"))
        assert (by_default.folder / f"{name}.zip").stat().st_size <= size


def test_bytecode_is_that_of_the_shipped_modules_or_missing(by_default: Package) -> None:
    for name in LAYERS:
        shipped = set(by_default.names_in(name))
        bytecode = {name for name in shipped if "__pycache__" in name or name.endswith(".pyc")}
        complete = bytecode_of({name for name in shipped if name.endswith(".py")})
        assert bytecode in (complete, set())  # missing if this machine has no Python 3.13


def test_a_build_elsewhere_gives_the_same_bytes(by_default: Package, customized: Package) -> None:
    for name in (*FUNCTIONS, *LAYERS):
        assert by_default.sha256_of(name) == customized.sha256_of(name), name
