"""Build the Lambda layers: the sources under layers/, plus the locked packages in the shared one.

The result is the same, byte for byte, on every machine: it has wheels for Lambda's platform and
leaves out the files in which pip records where it ran. If this machine has the functions' Python,
each module comes with its bytecode. /opt is read-only, so without bytecode every cold start
compiles all modules again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.certificate_folder import write_certificate_folder
from scripts.locked_packages import QUICK, InstallError, check_installed, install, pip_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LAYER_WITH_PACKAGES = "shared"

# Lambda's names of its architectures and the wheels that run there. The managed runtimes have
# glibc 2.26 or newer, above the 2.17 that manylinux2014 asks for.
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-native-libraries
WHEEL_PLATFORMS = {"arm64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}

SOURCES_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*", "requirements*")

# bin/ and RECORD hold the path of the Python that pip ran in and the hashes of such files. The two
# packages with machine code have the same modules in Python, which run on every architecture.
# X-Ray's SDK could trace a dozen other packages: the layer has none of them.
PACKAGE_FILES_LEFT_OUT = (
    *("bin", "*.dist-info/RECORD", "**/__pycache__", "*/tests", "*/test"),
    *("charset_normalizer/*.so", "wrapt/*.so", "wrapt/*.c", "*.dist-info/WHEEL"),
    *("aws_xray_sdk/ext", "wrapt-stubs"),
)

MOUNT_POINT = "/opt"
"""Where Lambda unpacks layers.
https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html"""

CERTIFICATES, CERTIFICATE_FOLDER = "certifi/cacert.pem", "by_subject"
"""The authorities that functions trust, and where sluice.http.tls looks for one of them first."""

PRINT_CACHE_TAG = "import sys; print(sys.implementation.cache_tag)"

# What a frozenset's order, and with it the bytecode, depends on.
SAME_EVERYWHERE = {"PYTHONHASHSEED": "0"}


def build_layers(sources: Path, output: Path, packages: Path) -> None:
    """Replace `output` by one folder for each layer in `sources`."""
    shutil.rmtree(output, ignore_errors=True)
    for source in sorted(path for path in sources.iterdir() if path.is_dir()):
        shutil.copytree(source, output / source.name, ignore=SOURCES_LEFT_OUT)
    shared = output / LAYER_WITH_PACKAGES
    shutil.copytree(packages, shared / "python", dirs_exist_ok=True)
    bundle = shared / "python" / CERTIFICATES
    if bundle.is_file():
        add_certificate_folder(bundle)


def add_certificate_folder(bundle: Path, openssl: str = "openssl") -> None:
    folder = bundle.with_name(CERTIFICATE_FOLDER)
    try:
        write_certificate_folder(bundle.read_text("utf-8"), folder, openssl)
    except (OSError, subprocess.CalledProcessError):
        sys.stderr.write(
            "The layers ship without a folder of certificates: `openssl rehash` fails here."
            " The first request of a function takes longer.\n"
        )


def find_python(version: str, candidates: Iterable[str]) -> str | None:
    """Return the first candidate that runs and is CPython of `version` (such as "3.13").

    Only running it tells: pyenv's shims are on PATH for versions that are not installed.
    """
    wanted = f"cpython-{version.replace('.', '')}"
    return next((name for name in candidates if cache_tag(name) == wanted), None)


def cache_tag(python: str) -> str | None:
    try:
        finished = subprocess.run(  # noqa: S603 - a Python of this machine
            [python, "-I", "-S", "-c", PRINT_CACHE_TAG], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return finished.stdout.strip() if finished.returncode == 0 else None


def pythons_on(path: str, version: str) -> list[str]:
    """Return this Python and each pythonX.Y on `path`; shims may hide others."""
    names = [Path(folder) / f"python{version}" for folder in path.split(os.pathsep) if folder]
    return [sys.executable, *(str(name) for name in names if name.is_file())]


def compile_layers(layers: Path, python: str) -> None:
    """Put the bytecode of each module next to it, where `python` will look for it under /opt.

    It holds no path of this machine and no time. The function's Python loads it unchecked, because
    a layer never changes. Raises CalledProcessError if a module does not compile.
    """
    for layer in sorted(layers.iterdir()):
        paths = ["-s", str(layer), "-p", MOUNT_POINT]
        command = [python, "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
        subprocess.run(  # noqa: S603 - a Python of this machine
            [*command, *paths, str(layer / "python")], env=SAME_EVERYWHERE, check=True
        )


def locked_packages(
    requirements: Path, python: str, architecture: str, cache: Path, environ: Mapping[str, str]
) -> Path:
    """Return a folder with the locked packages, from `cache` if an earlier build left it there.

    Raises InstallError.
    """
    key = f"{requirements.read_text()}\n{python}\n{architecture}"
    packages = cache / f"packages-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not packages.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            installed = Path(unfinished) / "packages"
            pip = [sys.executable, "-I", "-m", "pip"]
            options = ["--only-binary=:all:", "--implementation=cp", "--python-version", python]
            options += ["--platform", WHEEL_PLATFORMS[architecture], "--target", str(installed)]
            install(requirements, pip, [*QUICK, *options], pip_environment(pip, environ))
            check_installed(requirements, installed)
            leave_out(installed, PACKAGE_FILES_LEFT_OUT)
            installed.replace(packages)  # in one step: an interrupted build leaves nothing
    return packages


def leave_out(folder: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in list(folder.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--requirements", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--python", required=True, help="such as 3.13")
    parser.add_argument("--architecture", choices=WHEEL_PLATFORMS, required=True)
    chosen = parser.parse_args()
    try:
        packages = locked_packages(
            chosen.requirements, chosen.python, chosen.architecture, chosen.cache, os.environ
        )
    except InstallError as error:
        sys.stderr.write(
            f"{error} (see its messages above): the packages for Python {chosen.python} on"
            f" {chosen.architecture} are missing. Check that a Python package registry can be"
            " reached (PIP_INDEX_URL, HTTPS_PROXY).\n"
        )
        return 1
    build_layers(chosen.sources, chosen.output, packages)
    return add_bytecode(chosen.output, chosen.python, os.environ["PATH"])


def add_bytecode(layers: Path, version: str, path: str) -> int:
    """Compile the layers with a Python from `path`; returns the exit code of the build."""
    python = find_python(version, pythons_on(path, version))
    if python is None:
        sys.stderr.write(
            f"The layers ship without bytecode: python{version} is missing here. Functions start"
            " slower, because they compile their modules.\n"
        )
        return 0
    try:
        compile_layers(layers, python)
    except subprocess.CalledProcessError:
        sys.stderr.write(
            f"Python {version} cannot compile the modules named above. Correct them.\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
