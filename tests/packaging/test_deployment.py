"""`sls deploy`, again, with a change, of one function, and `sls remove`, in an account of moto.

What moto cannot tell: whether IAM would allow what the functions do (it enforces nothing), whether
the URL and the WebSocket API answer (nothing listens there), whether AWS would take each property
(it looks at few), and what becomes of roles and log groups when they change (moto keeps the first).
Types that its CloudFormation lacks, such as those of API Gateway, are in the stack alone.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from scripts.access.addresses import Addresses, deployed_addresses
from scripts.access.errors import ToolError
from tests.packaging.cloud_account import CloudAccount
from tests.packaging.conftest import CHANGED_MODEL, DeploymentLife, Step
from tests.packaging.packaged_service import Package

FUNCTIONS = {"connect", "disconnect", "control", "default", "stream"}


def digests(functions: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: function["CodeSha256"] for name, function in functions.items()}


def test_deployment_prints_both_addresses(deployed: Step) -> None:
    outputs = deployed.account.outputs
    assert "Service deployed to stack sluice-dev" in deployed.printed
    assert outputs["StreamLambdaFunctionUrl"] in deployed.printed
    assert outputs["ServiceEndpointWebsocket"] in deployed.printed
    assert re.fullmatch(
        r"wss://[\w-]+\.execute-api\.us-east-1\.amazonaws\.com/dev",
        outputs["ServiceEndpointWebsocket"],
    )


def test_functions_run_the_packaged_code_with_wrapper_and_layers(
    deployed: Step, by_default: Package
) -> None:
    functions = deployed.account.functions
    assert functions.keys() == FUNCTIONS
    for name, function in functions.items():
        packaged = bytes.fromhex(by_default.sha256_of(name))
        assert function["CodeSha256"] == base64.b64encode(packaged).decode()
        assert function["Handler"] == f"functions/{name}/handler.handler"
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        layers = [layer["Arn"].split(":layer:")[1] for layer in function["Layers"]]
        assert layers == ["sluice-dev-runtime:1", "sluice-dev-shared:1"]
        variables = function["Environment"]["Variables"]
        assert variables["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/bootstrap"


def test_stream_alone_has_a_url_which_streams_signed_requests(deployed: Step) -> None:
    account = deployed.account
    assert account.urls.keys() == {"stream"}
    url = account.urls["stream"]
    assert (url["AuthType"], url["InvokeMode"]) == ("AWS_IAM", "RESPONSE_STREAM")
    assert account.outputs["StreamLambdaFunctionUrl"].startswith(url["FunctionUrl"])


def test_state_table_is_the_functions_and_forgets(deployed: Step) -> None:
    account = deployed.account
    (table,) = account.tables
    named = {f["Environment"]["Variables"]["STATE_TABLE"] for f in account.functions.values()}
    assert named == {table.name}
    assert (table.billing_mode, table.expiry) == ("PAY_PER_REQUEST", "expires_at")
    assert table.recovers


def test_each_function_has_a_log_that_does_not_grow_for_ever(deployed: Step) -> None:
    groups = deployed.account.log_groups
    assert {f"/aws/lambda/sluice-dev-{name}" for name in FUNCTIONS} <= groups.keys()
    assert all(groups.values())


def test_deployment_without_a_change_is_skipped(deployed: Step, life: DeploymentLife) -> None:
    assert "No changes to deploy" in life.repeated.printed
    assert life.repeated.account == deployed.account


def test_change_reaches_what_changed_and_nothing_else(deployed: Step, life: DeploymentLife) -> None:
    before, after = deployed.account, life.changed.account
    old, new = digests(before.functions), digests(after.functions)
    assert {name for name in FUNCTIONS if old[name] != new[name]} == {"stream"}
    assert after.layers == {"sluice-dev-runtime": 1, "sluice-dev-shared": 2}
    for function in after.functions.values():
        assert function["Layers"][1]["Arn"].endswith(":layer:sluice-dev-shared:2")
        assert function["Environment"]["Variables"]["OPENAI_MODEL"] == CHANGED_MODEL
    for address in ("StreamLambdaFunctionUrl", "ServiceEndpointWebsocket"):
        assert after.outputs[address] == before.outputs[address]


def test_one_function_gets_new_code_and_keeps_the_rest(life: DeploymentLife) -> None:
    assert "Function code deployed" in life.of_stream
    before, after = life.changed.account.functions, life.after_functions.functions
    old, new = digests(before), digests(after)
    assert {name for name in FUNCTIONS if old[name] != new[name]} == {"stream"}
    for kept in ("Role", "Layers"):
        assert after["stream"][kept] == before["stream"][kept]


def test_one_function_does_not_get_another_way_in(life: DeploymentLife) -> None:
    """It would admit everybody and rely on an API that still does not check signatures."""
    refused = "WEBSOCKET_AUTH is deployed as forward_key, and would become aws_iam"
    assert refused in life.of_connect
    variables = life.after_functions.functions["connect"]["Environment"]["Variables"]
    assert variables["WEBSOCKET_AUTH"] == "forward_key"


def test_removal_leaves_nothing(life: DeploymentLife) -> None:
    assert "successfully removed" in life.removed.printed
    left = life.removed.account
    assert (left.outputs, left.resource_types, left.functions) == ({}, {}, {})
    assert (left.layers, left.tables, left.log_groups, left.buckets) == ({}, [], {}, [])


def test_smoke_checks_find_the_addresses(life: DeploymentLife) -> None:
    outputs = life.changed.account.outputs
    assert life.addresses == Addresses(
        outputs["StreamLambdaFunctionUrl"].rstrip("/"), outputs["ServiceEndpointWebsocket"]
    )


def test_smoke_checks_name_a_stack_without_the_addresses(account: CloudAccount) -> None:
    cloudformation = account.client("cloudformation")
    outputs = {"StreamLambdaFunctionUrl": {"Value": "https://abc/"}}
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}, "Outputs": outputs}
    cloudformation.create_stack(StackName="half", TemplateBody=str(template))
    with pytest.raises(ToolError, match="half has no output ServiceEndpointWebsocket"):
        deployed_addresses(cloudformation, "half")
    cloudformation.delete_stack(StackName="half")
    with pytest.raises(ToolError, match=r"look up the stack half in us-east-1 .*does not exist"):
        deployed_addresses(cloudformation, "half")
