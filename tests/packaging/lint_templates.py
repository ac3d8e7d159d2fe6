"""The CloudFormation templates, judged by AWS's linter: a part of `npm run lint`.

`npm test` leaves this module out, since its name does not begin with test_: the linter is fetched
once (150 MB) and takes half a minute. https://github.com/aws-cloudformation/cfn-lint
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.packaged_service import CHECKOUT, Package

DOWNLOAD_TIMEOUT_S = 240  # ten seconds with a fast package registry
REGIONS = ("us-east-1", "eu-west-1")

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
    finished = subprocess.run([linter(), *arguments], capture_output=True, text=True, check=False)
    assert not finished.stderr
    return finished.stdout.splitlines()


def linter() -> str:
    """Return the linter's command; install what is not installed yet."""
    folder = CHECKOUT / ".build" / f"cfn-lint-{sys.implementation.cache_tag}"
    script, lock = CHECKOUT / "scripts" / "locked_packages.py", CHECKOUT / "requirements-lint.txt"
    subprocess.run([sys.executable, "-I", script, folder, lock], check=True)
    return str(folder / "bin" / "cfn-lint")
