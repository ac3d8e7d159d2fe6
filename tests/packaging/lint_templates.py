"""The CloudFormation templates, judged by AWS's linter: a part of `npm run lint`.

`npm test` leaves this module out, since its name does not begin with test_: the linter is fetched
once (150 MB) and takes half a minute. https://github.com/aws-cloudformation/cfn-lint
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.packaging.packaged_service import CHECKOUT, Package

REQUIREMENTS = CHECKOUT / "requirements-lint.txt"
DOWNLOAD_TIMEOUT_S = 240  # ten seconds with a fast package registry
REGIONS = ("us-east-1", "eu-west-1")
RUN = "import sys; from cfnlint.runner import main; sys.exit(main())"

pytestmark = pytest.mark.timeout(2 * DOWNLOAD_TIMEOUT_S)


def test_linter_rejects_a_broken_template_and_no_other(
    by_default: Package, customized: Package, in_production: Package, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.json"
    document = by_default.template
    layers = document["Resources"]["StreamLambdaFunction"]["Properties"]["Layers"]
    layers[0]["Ref"] = "MisspeltLambdaLayer"
    broken.write_text(json.dumps(document))
    templates = [
        folder / f"cloudformation-template-{kind}-stack.json"
        for folder in (by_default.folder, customized.folder, in_production.folder)
        for kind in ("create", "update")
    ]
    (complaint,) = lint(broken, *templates)
    assert complaint.startswith(f"{broken}:")
    assert ":E1020:" in complaint


def lint(*templates: Path) -> list[str]:
    """Return the linter's complaints, each with its file and rule."""
    arguments = ["--format", "parseable", "--regions", *REGIONS, "--", *map(str, templates)]
    finished = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(linter())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not finished.stderr
    return finished.stdout.splitlines()


def linter(cache: Path = CHECKOUT / ".build") -> Path:
    """Return the folder with the linter; install it into `cache` unless it is there."""
    key = REQUIREMENTS.read_bytes() + str(sys.implementation.cache_tag).encode()
    packages = cache / f"cfn-lint-{hashlib.sha256(key).hexdigest()[:16]}"
    if not packages.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            installed = Path(unfinished) / "packages"
            install_into(installed)
            installed.replace(packages)  # in one step, so that whoever finds it finds all of it
    return packages


def install_into(target: Path) -> None:
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
    options += ["--require-hashes", "--target", str(target), "-r", str(REQUIREMENTS)]
    finished = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "install", *options],
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_TIMEOUT_S,
        check=False,
    )
    assert finished.returncode == 0, (
        f"pip cannot install {REQUIREMENTS.name}. Check that a Python package registry can be"
        f" reached (PIP_INDEX_URL, HTTPS_PROXY). pip printed:\n{finished.stderr}"
    )
