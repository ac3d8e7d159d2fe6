from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.packaging.cfn_lint import lint
from tests.packaging.packaged_service import Package

pytestmark = pytest.mark.timeout(300)  # the first test fetches the linter


def template(package: Package, kind: str = "update") -> Path:
    return package.folder / f"cloudformation-template-{kind}-stack.json"


def test_template_has_nothing_that_aws_would_mind(by_default: Package) -> None:
    assert lint(template(by_default), "us-east-1") == ""
    assert lint(template(by_default, "create"), "us-east-1") == ""


def test_template_of_other_settings_has_nothing_that_aws_would_mind(
    customized: Package, in_production: Package
) -> None:
    assert lint(template(customized), "us-east-1") == ""
    assert lint(template(in_production), "eu-west-1") == ""


def test_linter_finds_what_is_wrong(by_default: Package, tmp_path: Path) -> None:
    document = by_default.template
    layers = document["Resources"]["StreamLambdaFunction"]["Properties"]["Layers"]
    layers[0]["Ref"] = "MisspeltLambdaLayer"
    (tmp_path / "template.json").write_text(json.dumps(document))
    assert "E1020" in lint(tmp_path / "template.json", "us-east-1")
