"""Which test modules start processes, by their imports: `npm test -- --fast` leaves them out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT, ROOT / "layers" / "runtime" / "python", ROOT / "layers" / "shared" / "python")

IMPORT = re.compile(r"^(?:import|from) ([\w.]+)(?: import ([\w, ]+))?", re.MULTILINE)
FIXTURE = re.compile(r"^@pytest\.fixture.*\ndef (\w+)", re.MULTILINE)
SLOW = {"subprocess", "asyncio.subprocess", "multiprocessing", "moto.server", "boto3", "openai"}


def starts_processes(module: Path) -> bool:
    """Return whether a test module imports what starts a process, itself or through others.

    What takes seconds to import counts too, and so do the fixtures of conftest.py files.
    """
    folders = module.relative_to(ROOT).parents
    conftests = [file for folder in folders if (file := ROOT / folder / "conftest.py").exists()]
    text = module.read_text(encoding="utf-8")
    return _imports_slow(module, frozenset()) or any(
        re.search(rf"\b{name}: ", text)
        for file in conftests
        if _imports_slow(file, frozenset())
        for name in FIXTURE.findall(file.read_text(encoding="utf-8"))
    )


@cache
def _imports(file: Path) -> set[str]:
    found = IMPORT.findall(file.read_text(encoding="utf-8"))
    named = {f"{package}.{name.strip()}" for package, names in found for name in names.split(",")}
    return named | {package for package, _ in found}


def _imports_slow(file: Path, importers: frozenset[Path]) -> bool:
    names = _imports(file)
    if names & SLOW:
        return True
    files = {_file_of(name) for name in names} - {None, file} - importers
    return any(_imports_slow(each, importers | {file}) for each in files if each)


@cache
def _file_of(module: str) -> Path | None:
    names = (folder / f"{module.replace('.', '/')}.py" for folder in FOLDERS)
    return next((name for name in names if name.exists()), None)
