"""The Python that serverless.yml deploys, if this machine has it."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

from bench.measurement.machine import CHECKOUT
from scripts.build_layers import find_python, pythons_on

RUNTIME = re.compile(r"^  runtime: python([\d.]+)$", re.MULTILINE)


@cache
def deployed_python() -> str | None:
    """Its path. It is on PATH, or among pyenv's, whose shims run only the chosen version."""
    found = RUNTIME.search((CHECKOUT / "serverless.yml").read_text(encoding="utf-8"))
    assert found is not None  # noqa: S101 - osls requires it
    version = found[1]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    others = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    names = [*pythons_on(os.environ.get("PATH", os.defpath), version), *map(str, others)]
    return find_python(version, names)


def version_of(python: str) -> str:
    """Such as 3.13.0."""
    command = [python, "-I", "-S", "-c", "import sys; print(*sys.version_info[:3], sep='.')"]
    return subprocess.check_output(command, text=True).strip()  # noqa: S603 - of this machine
