"""`sls deploy`, again, with a change, and `sls remove`, against an account of moto.

What moto cannot tell: whether IAM would allow what the functions do (it enforces nothing), whether
the URL and the WebSocket API answer (nothing listens there), whether AWS would take each property
(it looks at few), and what becomes of roles and log groups when they change (moto keeps the first).
Alarms, policies and other types that its CloudFormation lacks are in the stack and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib

import pytest

from scripts.smoke.target import Addresses
from tests.deploy.conftest import CHANGED_MODEL, DeploymentLife

# The first test waits for npm, pip and four deployments.
pytestmark = pytest.mark.timeout(300)

FUNCTIONS = {"connect", "disconnect", "default", "stream"}
ROUTES = {
    "$connect": "connect",
    "$disconnect": "disconnect",
    "$default": "default",
    "sendmessage": "default",
}


def test_deployment_prints_both_addresses(life: DeploymentLife) -> None:
    outputs = life.deployed.account.outputs
    assert "Service deployed to stack sluice-dev" in life.deployed.said
    assert outputs["StreamLambdaFunctionUrl"] in life.deployed.said
    assert outputs["ServiceEndpointWebsocket"] in life.deployed.said


def test_functions_are_there_with_wrapper_and_layers_in_order(life: DeploymentLife) -> None:
    functions = life.deployed.account.functions
    assert functions.keys() == FUNCTIONS
    for name, function in functions.items():
        assert function["Handler"] == f"functions/{name}/handler.handler"
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        layers = [layer["Arn"].split(":layer:")[1] for layer in function["Layers"]]
        assert layers == ["sluice-dev-runtime:1", "sluice-dev-shared:1"]
        variables = function["Environment"]["Variables"]
        assert variables["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/bootstrap"


def test_functions_run_the_uploaded_artifacts(life: DeploymentLife) -> None:
    for name, function in life.deployed.account.functions.items():
        artifact = (life.artifacts / f"{name}.zip").read_bytes()
        digest = base64.b64encode(hashlib.sha256(artifact).digest()).decode()
        assert function["CodeSha256"] == digest


def test_stream_alone_has_a_url_which_streams_signed_requests(life: DeploymentLife) -> None:
    account = life.deployed.account
    assert account.urls.keys() == {"stream"}
    url = account.urls["stream"]
    assert (url["AuthType"], url["InvokeMode"]) == ("AWS_IAM", "RESPONSE_STREAM")
    assert account.outputs["StreamLambdaFunctionUrl"].startswith(url["FunctionUrl"])


def test_websocket_api_routes_to_the_functions(life: DeploymentLife) -> None:
    (api,) = life.deployed.account.apis
    assert api.properties["ProtocolType"] == "WEBSOCKET"
    assert api.properties["RouteSelectionExpression"] == "$request.body.action"
    assert api.stages == ["dev"]
    assert api.integration_by_route.keys() == ROUTES.keys()
    for route, function in ROUTES.items():
        assert f":function:sluice-dev-{function}/" in api.integration_by_route[route]
    endpoint = life.deployed.account.outputs["ServiceEndpointWebsocket"]
    assert endpoint == f"wss://{api.properties['ApiId']}.execute-api.us-east-1.amazonaws.com/dev"


def test_state_table_is_the_functions_and_forgets(life: DeploymentLife) -> None:
    account = life.deployed.account
    (table,) = account.tables
    named = {f["Environment"]["Variables"]["STATE_TABLE"] for f in account.functions.values()}
    assert named == {table.name}
    assert (table.billing_mode, table.expiry) == ("PAY_PER_REQUEST", "expires_at")
    assert table.recovers


def test_each_function_has_a_log_that_does_not_grow_for_ever(life: DeploymentLife) -> None:
    groups = life.deployed.account.log_groups
    assert {f"/aws/lambda/sluice-dev-{name}" for name in FUNCTIONS} <= groups.keys()
    assert all(groups.values())


def test_deployment_without_a_change_is_skipped(life: DeploymentLife) -> None:
    assert "No changes to deploy" in life.repeated.said
    assert life.repeated.account == life.deployed.account


def test_change_reaches_what_changed_and_nothing_else(life: DeploymentLife) -> None:
    before, after = life.deployed.account, life.changed.account

    def digests(functions: dict[str, dict[str, str]]) -> dict[str, str]:
        return {name: function["CodeSha256"] for name, function in functions.items()}

    old, new = digests(before.functions), digests(after.functions)
    assert {name for name in FUNCTIONS if old[name] != new[name]} == {"stream"}
    assert after.layers == {"sluice-dev-runtime": 1, "sluice-dev-shared": 2}
    for function in after.functions.values():
        assert function["Layers"][1]["Arn"].endswith(":layer:sluice-dev-shared:2")
        assert function["Environment"]["Variables"]["OPENAI_MODEL"] == CHANGED_MODEL


def test_change_keeps_the_addresses(life: DeploymentLife) -> None:
    for address in ("StreamLambdaFunctionUrl", "ServiceEndpointWebsocket"):
        assert life.changed.account.outputs[address] == life.deployed.account.outputs[address]


def test_info_names_the_addresses_and_functions(life: DeploymentLife) -> None:
    for address in ("StreamLambdaFunctionUrl", "ServiceEndpointWebsocket"):
        assert life.changed.account.outputs[address] in life.info
    for name in FUNCTIONS:
        assert f"sluice-dev-{name}" in life.info


def test_smoke_checks_find_the_addresses(life: DeploymentLife) -> None:
    outputs = life.changed.account.outputs
    assert life.addresses == Addresses(
        outputs["StreamLambdaFunctionUrl"].rstrip("/"), outputs["ServiceEndpointWebsocket"]
    )


def test_removal_leaves_nothing(life: DeploymentLife) -> None:
    assert "successfully removed" in life.removed.said
    left = life.removed.account
    assert (left.outputs, left.resource_types, left.functions) == ({}, {}, {})
    assert (left.layers, left.apis, left.tables) == ({}, [], [])
    assert (left.log_groups, left.buckets) == ({}, [])
