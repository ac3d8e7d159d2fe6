"""What CloudFormation is given: functions, ways in, state, logs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tests.packaging.conftest import SECRETS
from tests.packaging.packaged_service import Package, text_of_sub

TIMEOUTS = {"connect": 10, "disconnect": 10, "control": 10, "default": 900, "stream": 900}
ROUTES = {
    "$connect": "Connect",
    "$disconnect": "Disconnect",
    "$default": "Default",
    "sendmessage": "Default",
    "cancel": "Control",
    "ping": "Control",
}


def test_functions_run_python_on_arm_with_wrapper_and_layers(by_default: Package) -> None:
    functions = by_default.functions()
    assert {name: function["Timeout"] for name, function in functions.items()} == TIMEOUTS
    for name, function in functions.items():
        assert function["Handler"] == f"functions/{name}/handler.handler"
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        variables = function["Environment"]["Variables"]
        assert variables["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/bootstrap"
        # The shared layer lies over the runtime layer.
        assert function["Layers"] == [{"Ref": "RuntimeLambdaLayer"}, {"Ref": "SharedLambdaLayer"}]
    layers = by_default.of_type("AWS::Lambda::LayerVersion")
    assert sorted(layers) == ["RuntimeLambdaLayer", "SharedLambdaLayer"]
    for layer in layers.values():
        assert layer["CompatibleRuntimes"] == ["python3.13"]
        assert layer["CompatibleArchitectures"] == ["arm64"]


def test_function_url_streams_and_requires_signatures_unless_set_otherwise(
    by_default: Package, customized: Package
) -> None:
    for package, auth in ((by_default, "AWS_IAM"), (customized, "NONE")):
        (url,) = package.of_type("AWS::Lambda::Url").values()
        assert (url["AuthType"], url["InvokeMode"]) == (auth, "RESPONSE_STREAM")
        assert url["TargetFunctionArn"] == {"Fn::GetAtt": ["StreamLambdaFunction", "Arn"]}
    principals = [p["Principal"] for p in by_default.of_type("AWS::Lambda::Permission").values()]
    assert "*" not in principals
    assert customized.functions()["stream"]["Environment"]["Variables"]["FUNCTION_URL_AUTH"] == (
        "none"
    )


def test_websocket_api_routes_by_action(by_default: Package) -> None:
    (api,) = by_default.of_type("AWS::ApiGatewayV2::Api").values()
    assert api["ProtocolType"] == "WEBSOCKET"
    assert api["RouteSelectionExpression"] == "$request.body.action"
    routes = by_default.of_type("AWS::ApiGatewayV2::Route").values()
    targets = {route["RouteKey"]: route["Target"]["Fn::Join"][1][1]["Ref"] for route in routes}
    assert targets == {key: f"{name}WebsocketsIntegration" for key, name in ROUTES.items()}
    for name, integration in by_default.of_type("AWS::ApiGatewayV2::Integration").items():
        function = name.replace("WebsocketsIntegration", "LambdaFunction")
        assert {"Fn::GetAtt": [function, "Arn"]} in integration["IntegrationUri"]["Fn::Join"][1]
    permissions = by_default.of_type("AWS::Lambda::Permission")
    assert len(permissions) == len(set(ROUTES.values()))
    for name, permission in permissions.items():
        assert text_of_sub(permission["SourceArn"]).endswith(":${WebsocketsApi}/*")
        assert "DependsOn" not in by_default.template["Resources"][name]


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


def test_stage_and_params_differ_as_they_are_set(
    by_default: Package, in_production: Package
) -> None:
    expected = ((by_default, "dev", None, 14), (in_production, "prod", "Active", 90))
    for package, stage, tracing, days in expected:
        tags = {"project": "sluice", "stage": stage}
        for function in package.functions().values():
            assert {tag["Key"]: tag["Value"] for tag in function["Tags"]} == tags
            assert function.get("TracingConfig", {}).get("Mode") == tracing
            enabled = function["Environment"]["Variables"]["AWS_XRAY_SDK_ENABLED"]
            assert enabled == ("false" if tracing is None else "true")
        (api,) = package.of_type("AWS::ApiGatewayV2::Api").values()
        assert api["Tags"] == tags
        groups = package.of_type("AWS::Logs::LogGroup").values()
        assert [group["RetentionInDays"] for group in groups] == [days] * len(TIMEOUTS)


def test_answers_at_once_are_limited_where_that_is_set(
    by_default: Package, customized: Package
) -> None:
    places = {"connect": 20, "default": 20, "stream": 20}
    for package, limits in ((by_default, {}), (customized, places)):
        found = {
            name: function["ReservedConcurrentExecutions"]
            for name, function in package.functions().items()
            if "ReservedConcurrentExecutions" in function
        }
        assert found == limits


def test_cache_in_dynamodb_has_a_table_that_forgets(
    by_default: Package, customized: Package
) -> None:
    assert not [each for each in by_default.variables() if "CACHE_TABLE" in each]
    for variables in customized.variables():
        assert variables["CACHE_TABLE"] == {"Ref": "CacheTable"}
    tables = customized.of_type("AWS::DynamoDB::Table")
    state, cache = tables["StateTable"], tables["CacheTable"]
    del state["PointInTimeRecoverySpecification"]  # nothing depends on a kept answer
    assert cache == {**state, "TableName": "sluice-dev-cache"}
    assert customized.template["Resources"]["CacheTable"]["DeletionPolicy"] == "Delete"


def test_stage_throttles_every_route_but_disconnects_least(
    by_default: Package, customized: Package
) -> None:
    for package, rate, burst in ((by_default, 50, 100), (customized, 7, 9)):
        (stage,) = package.of_type("AWS::ApiGatewayV2::Stage").values()
        assert stage["DefaultRouteSettings"] == {
            "ThrottlingRateLimit": rate,
            "ThrottlingBurstLimit": burst,
        }
        assert stage["RouteSettings"].keys() == {"$disconnect"}
        ending = stage["RouteSettings"]["$disconnect"]
        assert ending == {"ThrottlingRateLimit": 2500, "ThrottlingBurstLimit": 1250}


def test_functions_get_the_names_of_keys_and_never_keys(
    by_default: Package, customized: Package
) -> None:
    for variables in by_default.variables():
        assert not set(SECRETS) & set(variables)
        assert variables["OPENAI_API_KEY_PARAMETER"] == "/sluice/dev/openai-api-key"
        assert variables["FORWARD_KEY_PARAMETER"] == "/sluice/dev/forward-key"
    for file in customized.folder.glob("*.json"):
        for name, secret in SECRETS.items():
            assert secret not in file.read_text(), f"{name} is in {file.name}"


def test_settings_are_taken_from_the_shell(by_default: Package, customized: Package) -> None:
    for variables in by_default.variables():
        assert variables["STATE_TABLE"] == {"Ref": "StateTable"}
        assert "STATE_FILE" not in variables
        assert (variables["ASCII_QUOTES"], variables["LOG_CHAT"]) == ("false", "false")
    for variables in customized.variables():
        assert (variables["ASCII_QUOTES"], variables["LOG_CHAT"]) == ("true", "true")
        assert variables["OPENAI_MODEL"] == "another-model"


def test_state_table_forgets_can_be_restored_and_goes_with_the_stack(by_default: Package) -> None:
    assert by_default.of_type("AWS::DynamoDB::Table").keys() == {"StateTable"}
    assert by_default.template["Resources"]["StateTable"] == {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "TableName": "sluice-dev-state",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        },
    }


def test_outputs_have_both_addresses(by_default: Package) -> None:
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
