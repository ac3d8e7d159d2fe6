"""`sls deploy function` gives one function its new code, and touches nothing else of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.cloud_account import cloud_account
from tests.deploy.deployment import new_deployment

pytestmark = pytest.mark.timeout(300)  # see test_template.py

# The function would let everybody in, and leave it to an API that does not know of it.
BY_IAM = {"WEBSOCKET_AUTH": "aws_iam"}


def test_function_keeps_its_role_its_layers_and_its_way_in(tmp_path: Path) -> None:
    with cloud_account() as account:
        deployment = new_deployment(tmp_path, account)
        deployment.sls("deploy")
        with (deployment.service / "functions" / "stream" / "handler.py").open("a") as handler:
            handler.write("\nCHANGED = True\n")
        said = deployment.sls("deploy", "function", "--function", "stream")
        refused = deployment.refused("deploy", "function", "--function", "connect", **BY_IAM)
        connect = account.client("lambda").get_function(FunctionName="sluice-dev-connect")
    assert "Function code deployed" in said
    assert "Function configuration did not change" in said
    assert "WEBSOCKET_AUTH is deployed as forward_key, and would become aws_iam" in refused
    variables = connect["Configuration"]["Environment"]["Variables"]
    assert variables["WEBSOCKET_AUTH"] == "forward_key"
