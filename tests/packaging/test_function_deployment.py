"""`sls deploy function` gives one function its new code, and touches nothing else of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.cloud_account import cloud_account
from tests.deploy.deployment import new_deployment

pytestmark = pytest.mark.timeout(300)  # see test_template.py


def test_function_keeps_its_role_and_layers(tmp_path: Path) -> None:
    with cloud_account() as account:
        deployment = new_deployment(tmp_path, account)
        deployment.sls("deploy")
        with (deployment.service / "functions" / "stream" / "handler.py").open("a") as handler:
            handler.write("\nCHANGED = True\n")
        said = deployment.sls("deploy", "function", "--function", "stream")
    assert "Function code deployed" in said
    assert "Function configuration did not change" in said
