"""The folders that Lambda makes of artifacts, and a Python without any package."""

from __future__ import annotations

import subprocess
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path


def unpack(artifact: Path, folder: Path) -> None:
    """Unpack a zip over what is in the folder, with the modes of its files."""
    with zipfile.ZipFile(artifact) as archive:
        for entry in archive.infolist():
            file = Path(archive.extract(entry, folder))
            file.chmod(entry.external_attr >> 16)


def lay_out(artifacts: Path, function: str, layers: Iterable[str], root: Path) -> None:
    """Make /var/task and /opt below `root`, a later layer over an earlier one.

    https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
    """
    unpack(artifacts / f"{function}.zip", root / "var" / "task")
    for layer in layers:
        unpack(artifacts / f"{layer}.zip", root / "opt")


def lone_python(folder: Path) -> Path:
    """Make a Python of this version without any package, pip included."""
    venv.create(folder, symlinks=True, with_pip=False)
    return folder / "bin" / "python"


def modules_found_by(python: Path, names: Iterable[str], folder: Path) -> set[str]:
    """Return those of the modules that this Python can import in that folder."""
    look = "import importlib.util as u, sys; print(*filter(u.find_spec, sys.argv[1:]))"
    done = subprocess.run(
        [python, "-c", look, *names], cwd=folder, env={}, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())
