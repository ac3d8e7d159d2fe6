from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.packaging.conftest import SECRETS
from tests.packaging.packaged_service import Package, text_of_sub

# The first test to ask for a package waits for npm, pip and perhaps their registries.
pytestmark = pytest.mark.timeout(300)

FUNCTIONS = {"connect": 10, "disconnect": 10, "default": 900, "stream": 900}
ROUTES = {
    "$connect": "Connect",
    "$disconnect": "Disconnect",
    "$default": "Default",
    "sendmessage": "Default",
}


def test_functions_are_the_four_with_their_handlers_and_timeouts(by_default: Package) -> None:
    found = by_default.functions()
    assert {name: function["Timeout"] for name, function in found.items()} == FUNCTIONS
    for name, function in found.items():
        assert function["Handler"] == f"functions/{name}/handler.handler"


def test_functions_run_python_on_arm_behind_the_wrapper(by_default: Package) -> None:
    for function in by_default.functions().values():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        variables = function["Environment"]["Variables"]
        assert variables["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/bootstrap"


def test_shared_layer_lies_over_the_runtime_layer(by_default: Package) -> None:
    for function in by_default.functions().values():
        assert function["Layers"] == [{"Ref": "RuntimeLambdaLayer"}, {"Ref": "SharedLambdaLayer"}]


def test_layers_name_their_runtime_and_architecture(by_default: Package) -> None:
    layers = by_default.of_type("AWS::Lambda::LayerVersion")
    assert sorted(layers) == ["RuntimeLambdaLayer", "SharedLambdaLayer"]
    for layer in layers.values():
        assert layer["CompatibleRuntimes"] == ["python3.13"]
        assert layer["CompatibleArchitectures"] == ["arm64"]


def test_function_url_streams_and_wants_signatures(by_default: Package) -> None:
    (url,) = by_default.of_type("AWS::Lambda::Url").values()
    assert (url["AuthType"], url["InvokeMode"]) == ("AWS_IAM", "RESPONSE_STREAM")
    assert url["TargetFunctionArn"] == {"Fn::GetAtt": ["StreamLambdaFunction", "Arn"]}
    principals = [p["Principal"] for p in by_default.of_type("AWS::Lambda::Permission").values()]
    assert "*" not in principals


def test_function_url_auth_none_takes_the_authorizer_off(customized: Package) -> None:
    (url,) = customized.of_type("AWS::Lambda::Url").values()
    assert (url["AuthType"], url["InvokeMode"]) == ("NONE", "RESPONSE_STREAM")
    variables = customized.functions()["stream"]["Environment"]["Variables"]
    assert variables["FUNCTION_URL_AUTH"] == "none"


def test_websocket_api_routes_by_action(by_default: Package) -> None:
    (api,) = by_default.of_type("AWS::ApiGatewayV2::Api").values()
    assert api["ProtocolType"] == "WEBSOCKET"
    assert api["RouteSelectionExpression"] == "$request.body.action"
    routes = by_default.of_type("AWS::ApiGatewayV2::Route").values()
    targets = {route["RouteKey"]: route["Target"]["Fn::Join"][1][1]["Ref"] for route in routes}
    assert targets == {key: f"{name}WebsocketsIntegration" for key, name in ROUTES.items()}


def test_websocket_auth_aws_iam_guards_the_connect_route_alone(
    by_default: Package, customized: Package
) -> None:
    def authorizations(package: Package) -> dict[str, str]:
        routes = package.of_type("AWS::ApiGatewayV2::Route").values()
        return {route["RouteKey"]: route["AuthorizationType"] for route in routes}

    assert set(authorizations(by_default).values()) == {"NONE"}
    assert authorizations(customized) == {**authorizations(by_default), "$connect": "AWS_IAM"}


def test_changed_websocket_auth_is_a_deployment_of_the_api_of_its_own(
    by_default: Package, customized: Package
) -> None:
    def deployment(package: Package) -> str:
        (name,) = package.of_type("AWS::ApiGatewayV2::Deployment")
        (stage,) = package.of_type("AWS::ApiGatewayV2::Stage").values()
        assert stage["DeploymentId"] == {"Ref": name}
        # Or it would be made of the routes as they were before.
        routes = package.of_type("AWS::ApiGatewayV2::Route")
        assert set(package.template["Resources"][name]["DependsOn"]) == set(routes)
        return name

    assert deployment(by_default) != deployment(customized)


def test_only_this_api_may_invoke_the_websocket_functions(by_default: Package) -> None:
    permissions = by_default.of_type("AWS::Lambda::Permission")
    assert len(permissions) == 3
    for name, permission in permissions.items():
        assert text_of_sub(permission["SourceArn"]).endswith(":${WebsocketsApi}/*")
        assert "DependsOn" not in by_default.template["Resources"][name]


def test_invocations_are_traced_unless_that_is_switched_off(
    by_default: Package, in_production: Package
) -> None:
    for package, mode in ((by_default, "Active"), (in_production, "PassThrough")):
        for function in package.functions().values():
            assert function["TracingConfig"] == {"Mode": mode}


def test_answers_at_once_are_limited_where_that_is_asked_for(
    by_default: Package, customized: Package
) -> None:
    limit = "ReservedConcurrentExecutions"
    assert not [name for name, each in by_default.functions().items() if limit in each]
    limited = {name: each[limit] for name, each in customized.functions().items() if limit in each}
    assert limited == {"default": 20, "stream": 20}


def test_functions_and_api_are_tagged_with_their_stage(
    by_default: Package, in_production: Package
) -> None:
    for package, stage in ((by_default, "dev"), (in_production, "prod")):
        tags = {"project": "sluice", "stage": stage}
        for function in package.functions().values():
            assert {tag["Key"]: tag["Value"] for tag in function["Tags"]} == tags
        (api,) = package.of_type("AWS::ApiGatewayV2::Api").values()
        assert api["Tags"] == tags


def test_keys_in_the_shell_stay_there(customized: Package) -> None:
    assert customized.functions()["stream"]["Environment"]["Variables"]["OPENAI_MODEL"] == (
        "another-model"
    )
    for file in customized.folder.glob("*.json"):
        for name, secret in SECRETS.items():
            assert secret not in file.read_text(), f"{name} is in {file.name}"


def test_functions_get_the_names_of_keys_and_never_keys(by_default: Package) -> None:
    for function in by_default.functions().values():
        variables = function["Environment"]["Variables"]
        assert not set(SECRETS) & set(variables)
        assert variables["OPENAI_API_KEY_PARAMETER"] == "/sluice/dev/openai-api-key"
        assert variables["FORWARD_KEY_PARAMETER"] == "/sluice/dev/forward-key"


def test_state_table_forgets_and_can_be_restored(by_default: Package) -> None:
    (table,) = by_default.of_type("AWS::DynamoDB::Table").values()
    assert table == {
        "TableName": "sluice-dev-state",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }


def test_state_table_goes_with_the_stack(by_default: Package) -> None:
    resource = by_default.template["Resources"]["StateTable"]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Delete", "Delete")


def test_functions_are_told_where_the_state_is_and_nothing_more_than_asked_for(
    by_default: Package,
) -> None:
    for function in by_default.functions().values():
        variables = function["Environment"]["Variables"]
        assert variables["STATE_TABLE"] == {"Ref": "StateTable"}
        assert "STATE_FILE" not in variables
        assert (variables["ASCII_QUOTES"], variables["LOG_CHAT"]) == ("false", "false")


def test_switches_are_taken_from_the_shell(customized: Package) -> None:
    for function in customized.functions().values():
        variables = function["Environment"]["Variables"]
        assert (variables["ASCII_QUOTES"], variables["LOG_CHAT"]) == ("true", "true")


def test_logs_are_kept_for_weeks_and_longer_in_production(
    by_default: Package, in_production: Package
) -> None:
    for package, days in ((by_default, 14), (in_production, 90)):
        groups = package.of_type("AWS::Logs::LogGroup").values()
        assert [group["RetentionInDays"] for group in groups] == [days] * len(FUNCTIONS)


def test_outputs_tell_both_addresses(by_default: Package) -> None:
    outputs = by_default.template["Outputs"]
    assert outputs["StreamLambdaFunctionUrl"]["Value"] == {
        "Fn::GetAtt": ["StreamLambdaFunctionUrl", "FunctionUrl"]
    }
    assert "wss://" in json.dumps(outputs["ServiceEndpointWebsocket"]["Value"])


def references(value: object) -> Iterator[str]:
    """Yield every logical id or parameter that a part of the template refers to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner[0]
            elif key == "Fn::Sub" and isinstance(inner, str):
                yield from re.findall(r"\$\{([^}.!]+)", inner)
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_names_a_resource(
    by_default: Package, customized: Package, in_production: Package
) -> None:
    for package in (by_default, customized, in_production):
        template = package.template
        named = {name for name in references(template) if not name.startswith("AWS::")}
        assert named <= set(template["Resources"])
