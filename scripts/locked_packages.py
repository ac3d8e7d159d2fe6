"""Install the packages of a lock file, whatever settings pip has on this machine.

    python -I scripts/locked_packages.py FOLDER LOCK

makes a virtual environment in FOLDER, unless there is one, and installs the packages into it.

pip reads PIP_* variables and pip.conf files. Only the settings that say where packages come from
apply here: user, prefix or root would put packages elsewhere, constraint would change versions.
Standard library only: this installs everything else.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# pip's options that say where packages come from. https://pip.pypa.io/en/stable/cli/pip_install/
INDEXES = ("index-url", "extra-index-url", "no-index", "find-links", "cache-dir", "no-cache-dir")
ACCESS = ("proxy", "trusted-host", "cert", "client-cert", "keyring-provider", "use-feature")
PATIENCE = ("timeout", "default-timeout", "retries")
KEPT = {f"PIP_{name.upper().replace('-', '_')}": name for name in INDEXES + ACCESS + PATIENCE}

# The sections of a pip.conf that `pip install` reads; a later one overrides an earlier one.
SECTIONS = ("global", "install")

# Variables that lead Python or pip away from what its command line says.
MISLEADING = ("PYTHONHOME", "PYTHONPATH", "PIP_")

# With these, `pip config list` lists the settings of every file, whatever the files say.
LIST_ALL = {"PIP_GLOBAL": "0", "PIP_QUIET": "0", "PIP_SITE": "0", "PIP_USER": "0"}

OPTIONS = ("-qq", "--no-input", "--disable-pip-version-check")
LOCKED = ("--no-deps", "--require-hashes")

# For a few small packages: whether a registry answers is known within 10 seconds.
QUICK = ("--no-compile", "--retries", "0", "--timeout", "4")

# A package that every platform needs; others have a marker after a semicolon.
PIN = re.compile(r"^([\w.-]+)==[^;\n]+$", re.MULTILINE)


class InstallError(Exception):
    """The packages of a lock file could not be installed."""


def install(
    lock: Path, pip: Sequence[str], options: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Run the command `pip` on `lock`. Raises InstallError; pip's messages are then on stderr."""
    command = [*pip, "install", *OPTIONS, *LOCKED, *options, "--requirement", str(lock)]
    code, _ = _run(command, environment)
    if code:
        raise InstallError(f"pip failed with exit code {code}")


def pip_environment(pip: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` with only those settings of pip that say where packages come from."""
    clean = {name: environ[name] for name in environ if not name.startswith(MISLEADING)}
    chosen = {name: environ[name] for name in environ if name == "PIP_CONFIG_FILE"}
    configured = _configured(pip, {**clean, **LIST_ALL, **chosen})
    for name, option in KEPT.items():
        if value := environ.get(name) or configured.get(option):
            clean[name] = value
    return {**clean, "PIP_CONFIG_FILE": os.devnull}


def _configured(pip: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the options that pip's configuration files set for `pip install`."""
    code, listed = _run([*pip, "config", "list"], environment, stdout=subprocess.PIPE)
    if code:
        raise InstallError("pip cannot read its configuration")
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in found:
            found[section][option] = ast.literal_eval(value)
    return {option: value for section in SECTIONS for option, value in found[section].items()}


def _run(
    command: Sequence[str], environment: Mapping[str, str], stdout: int | None = None
) -> tuple[int, str]:
    finished = subprocess.run(  # noqa: S603 - a pip of this machine
        command, env=environment, stdout=stdout, text=True, check=False
    )
    return finished.returncode, finished.stdout or ""


def check_installed(lock: Path, packages: Path) -> None:
    """Raise InstallError if the folder `packages` lacks a package of `lock`."""
    installed = {_normalized(info.name.split("-")[0]) for info in packages.glob("*.dist-info")}
    locked = {_normalized(name) for name in PIN.findall(lock.read_text())}
    if missing := locked - installed:
        raise InstallError(f"pip left out {', '.join(sorted(missing))}")


def _normalized(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/."""
    return re.sub(r"[-_.]+", "-", name).lower()


def install_into_venv(folder: Path, lock: Path, environ: Mapping[str, str]) -> None:
    """Install `lock`, first the pip that it names.

    That shows whether a registry answers, and an older pip would take twice as long for the rest.
    This Python's pip installs it. If it has none, ensurepip brings one, which takes seconds.
    """
    python = folder / "bin" / "python"
    has_pip = importlib.util.find_spec("pip") is not None
    if not python.exists():
        venv.create(folder, symlinks=True, with_pip=not has_pip)
    pip = [str(python), "-I", "-m", "pip"]
    first_pip = [sys.executable, *pip[1:], "--python", str(python)] if has_pip else pip
    environment = pip_environment(first_pip, environ)
    with tempfile.TemporaryDirectory() as temporary:
        pip_lock = Path(temporary) / "pip.txt"
        pip_lock.write_text(entry("pip", lock.read_text()))
        install(pip_lock, first_pip, [*QUICK, "--force-reinstall"], environment)
    install(lock, pip, (), environment)
    (packages,) = folder.glob("lib/python3*/site-packages")
    check_installed(lock, packages)


def entry(name: str, lock: str) -> str:
    """Return the lines of a lock file that pin one package: its version and its hashes."""
    found = re.search(rf"^{name}==(.*\\\n)*.*\n", lock, re.MULTILINE)
    if found is None:
        raise InstallError(f"the lock file does not name {name}")
    return found[0]


if __name__ == "__main__":
    try:
        install_into_venv(Path(sys.argv[1]), Path(sys.argv[2]), os.environ)
    except InstallError as error:
        sys.exit(f"{error}.")
