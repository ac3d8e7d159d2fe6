"""AWS's linter of CloudFormation templates, fetched once from a Python package registry.

https://github.com/aws-cloudformation/cfn-lint
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("cfn_lint_requirements.txt")
DOWNLOAD_TIMEOUT_S = 240  # 150 MB take ten seconds; the rest is for a slow package registry

RUN = "import sys; from cfnlint.runner import main; sys.exit(main())"


class LinterUnavailableError(Exception):
    """The linter is not in the cache and could not be fetched; the text holds pip's words."""

    def __init__(self, pip_said: str) -> None:
        super().__init__(
            f"expected the packages pinned in {REQUIREMENTS.name} from a Python package registry:"
            f" check that one can be reached (PIP_INDEX_URL, HTTPS_PROXY); pip said:\n{pip_said}"
        )


def lint(template: Path, region: str) -> str:
    """Return what the linter has to say of a template: nothing, where all is well.

    Raises LinterUnavailableError.
    """
    finished = subprocess.run(
        [sys.executable, "-c", RUN, "--regions", region, "--", str(template)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(linter())},
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{finished.stdout}{finished.stderr}" if finished.returncode else ""


def linter(cache: Path = CHECKOUT / ".build") -> Path:
    """The folder of the packages, from `cache` where an earlier call left this version of them."""
    key = REQUIREMENTS.read_bytes() + str(sys.implementation.cache_tag).encode()
    packages = cache / f"cfn-lint-{hashlib.sha256(key).hexdigest()[:16]}"
    if not packages.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            installed = Path(unfinished) / "packages"
            _install(installed)
            installed.replace(packages)  # at once: whoever finds it finds all of it
    return packages


def _install(target: Path) -> None:
    arguments = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
    arguments += ["--require-hashes", "--target", str(target), "-r", str(REQUIREMENTS)]
    finished = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "install", *arguments],
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_TIMEOUT_S,
        check=False,
    )
    if finished.returncode != 0:
        raise LinterUnavailableError(finished.stderr)
