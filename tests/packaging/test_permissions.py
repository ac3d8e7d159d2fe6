"""Each function's role, and what else the template lets anybody do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from sluice.settings import read_settings
from sluice.upstream.targets import read_targets
from tests.packaging.packaged_service import Package, text_of_sub
from tests.packaging.plugin_answers import answers

IN_THIS_ACCOUNT = "${AWS::Region}:${AWS::AccountId}:"
FUNCTIONS = ("connect", "disconnect", "control", "default", "stream")
TRACES = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
INVOKE_MODEL = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]

Allowed = dict[tuple[str, ...], list[str]]
"""Resources by the actions that may be done with them."""

# Every star in the template that stands for what is allowed, and the reason for it.
STARS = {
    ":${WebsocketsApi}/dev/POST/@connections/*": "whichever connection of this API and stage",
    ":${WebsocketsApi}/*": "whichever route of this API may invoke the function",
    "Deny s3:* *": "it refuses everybody what is not encrypted on its way to the bucket",
}
STARS_OF_OPTIONS = {
    "PutTraceSegments *": "TRACING=true: X-Ray has no resources that could be named",
    "lambda:InvokeFunctionUrl Principal *": "FUNCTION_URL_AUTH=none: the forward key is the lock",
    "lambda:InvokeFunction Principal *": "AWS requires both permissions",
}


def allowed(package: Package, function: str) -> Allowed:
    """Return the resources of each list of actions, as far as they are interesting."""
    statements = package.statements(function)
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    return {
        tuple(statement["Action"]): [resource_name(each) for each in statement["Resource"]]
        for statement in statements
    }


def resource_name(resource: Any) -> str:
    if isinstance(resource, str):
        return resource
    if "Fn::GetAtt" in resource:
        return ".".join(resource["Fn::GetAtt"])
    return text_of_sub(resource).removeprefix("arn:${AWS::Partition}:")


def parameters(*names: str) -> list[str]:
    return [f"ssm:{IN_THIS_ACCOUNT}parameter{name}" for name in names]


def own_log(function: str) -> Allowed:
    group = f"{function.capitalize()}LogGroup.Arn"
    return {("logs:CreateLogStream", "logs:PutLogEvents"): [group]}


GET_PARAMETERS = ("ssm:GetParameters",)
MANAGE_CONNECTIONS = ("execute-api:ManageConnections",)
PUT_ITEM: Allowed = {("dynamodb:PutItem",): ["StateTable.Arn"]}
GET_ITEMS: Allowed = {("dynamodb:BatchGetItem",): ["StateTable.Arn"]}
UPDATE_ITEM: Allowed = {("dynamodb:UpdateItem",): ["StateTable.Arn"]}
OPENAI_KEY, FORWARD_KEY = "/sluice/dev/openai-api-key", "/sluice/dev/forward-key"
CONNECTIONS = f"execute-api:{IN_THIS_ACCOUNT}${{WebsocketsApi}}/dev/POST/@connections/*"

USED: dict[str, Allowed] = {
    "connect": {GET_PARAMETERS: parameters(FORWARD_KEY), **GET_ITEMS, **PUT_ITEM},
    "disconnect": PUT_ITEM,
    "control": {MANAGE_CONNECTIONS: [CONNECTIONS], **PUT_ITEM},
    "default": {
        GET_PARAMETERS: parameters(OPENAI_KEY),
        MANAGE_CONNECTIONS: [CONNECTIONS],
        **GET_ITEMS,
        **UPDATE_ITEM,
    },
    "stream": {GET_PARAMETERS: parameters(OPENAI_KEY), **GET_ITEMS, **UPDATE_ITEM},
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_may_do_what_it_does_and_nothing_else(by_default: Package, function: str) -> None:
    assert allowed(by_default, function) == {**own_log(function), **USED[function]}


def test_every_function_has_a_role_of_its_own_that_only_lambda_takes(by_default: Package) -> None:
    roles = by_default.of_type("AWS::IAM::Role")
    used = {
        name: function["Role"]["Fn::GetAtt"][0] for name, function in by_default.functions().items()
    }
    assert sorted(used.values()) == sorted(roles)
    for name, role in used.items():
        assert roles[role]["RoleName"] == f"sluice-dev-us-east-1-{name}"
        (statement,) = roles[role]["AssumeRolePolicyDocument"]["Statement"]
        assert statement == {
            "Effect": "Allow",
            "Action": ["sts:AssumeRole"],
            "Principal": {"Service": ["lambda.amazonaws.com"]},
        }


def test_forward_keys_are_read_where_they_let_clients_in(customized: Package) -> None:
    assert GET_PARAMETERS not in allowed(customized, "connect")  # it is by signatures
    read = allowed(customized, "stream")[GET_PARAMETERS]
    assert read == parameters(FORWARD_KEY, OPENAI_KEY)


AZURE = {"AZURE_OPENAI_ENDPOINT": "https://a.example", "AZURE_OPENAI_APIVERSION": "2024-10-21"}


# Settings, and the parameter with the key for the provider that they choose.
KEYS_READ: tuple[tuple[dict[str, str], list[str]], ...] = (
    ({}, ["/openai"]),
    ({"UPSTREAM_AUTH": "bearer"}, ["/openai"]),
    ({"UPSTREAM_AUTH": "aws_sigv4"}, []),
    (AZURE, ["/token"]),
    ({**AZURE, "UPSTREAM_AUTH": "aws_sigv4"}, ["/token"]),
    ({**AZURE, "AZURE_OPENAI_TOKEN_PARAMETER": ""}, ["/openai"]),
    ({**AZURE, "AZURE_OPENAI_PROXY_MODE": "azure"}, ["/token"]),
    ({**AZURE, "AZURE_OPENAI_PROXY_MODE": "openai"}, ["/openai"]),
)
NAMED = {"OPENAI_API_KEY_PARAMETER": "/openai", "AZURE_OPENAI_TOKEN_PARAMETER": "/token"}


def test_key_that_the_functions_read_is_the_one_that_they_may_read() -> None:
    environs = [{**NAMED, "AWS_REGION": "us-east-1", **settings} for settings, _ in KEYS_READ]
    roles = roles_with(["readProviderKeys"], [{"settings": environ} for environ in environs])
    for environ, (_, read), statements in zip(environs, KEYS_READ, roles, strict=True):
        (target,) = read_targets(environ, read_settings(environ))
        assert [target.keys.parameter] == (read or [""])
        found = [each for each in statements if each["Action"] == ["ssm:GetParameters"]]
        names = [resource_name(name) for each in found for name in each["Resource"]]
        assert names == parameters(*read)


def test_traces_are_sent_if_tracing_is_switched_on() -> None:
    switches = ("true", True, "false", False)
    for switch, statements in zip(
        switches, roles_with([], [{"tracing": switch} for switch in switches]), strict=True
    ):
        actions = [statement["Action"] for statement in statements]
        assert (TRACES in actions) == (str(switch).lower() == "true")


# Settings, and whether the functions keep answers in the table.
CACHES: tuple[tuple[dict[str, str], bool], ...] = (
    ({}, False),
    ({"CACHE_CHAT_COMPLETION": "false", "CACHE_BACKEND": "DYNAMODB"}, False),
    ({"CACHE_CHAT_COMPLETION": "true", "CACHE_BACKEND": "MEMORY"}, False),
    ({"CACHE_CHAT_COMPLETION": "true", "CACHE_BACKEND": ""}, True),
    ({"CACHE_CHAT_COMPLETION": " True ", "CACHE_BACKEND": " DynamoDB"}, True),
)


def test_answers_are_kept_in_a_table_of_their_own() -> None:
    deployments: list[dict[str, object]] = [{"settings": environ} for environ, _ in CACHES]
    roles = roles_with(["cacheAnswers"], deployments)
    expected = {
        "Effect": "Allow",
        "Action": ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem"],
        "Resource": [{"Fn::GetAtt": ["CacheTable", "Arn"]}],
    }
    for (environ, is_kept), (_, *cache) in zip(CACHES, roles, strict=True):
        settings = read_settings({**environ, "STATE_TABLE": "a-table"})
        uses_table = settings.cache_chat_completion and settings.cache_backend == "DYNAMODB"
        assert uses_table == is_kept
        assert cache == ([expected] if is_kept else [])


def roles_with(
    permissions: list[str], deployments: Iterable[dict[str, object]]
) -> list[list[dict[str, Any]]]:
    """Return what a role with these permissions allows, for each deployment."""
    place = {"project": "p", "stage": "s", "region": "r", "settings": {}, "tracing": "false"}
    calls = [([["connect", permissions]], {**place, **deployment}) for deployment in deployments]
    made = answers("roles", calls, of="roles.mjs")
    (policies,) = zip(
        *(each["ConnectRole"]["Properties"]["Policies"] for each in made), strict=True
    )
    return [policy["PolicyDocument"]["Statement"] for policy in policies]


def test_production_reads_the_parameters_of_its_providers_and_sends_traces(
    in_production: Package,
) -> None:
    forward, extra = "/sluice/prod/forward-key", "/other/key"
    read = {name: allowed(in_production, name).get(GET_PARAMETERS, []) for name in FUNCTIONS}
    assert all(allowed(in_production, name)[tuple(TRACES)] == ["*"] for name in FUNCTIONS)
    assert read == {
        "connect": parameters(forward),
        "disconnect": [],
        "control": [],
        "default": [],  # who signs for Bedrock needs no key
        "stream": parameters(extra),
    }


@pytest.mark.parametrize("function", ["default", "stream"])
def test_named_models_of_bedrock_may_be_asked_where_the_base_url_says(
    in_production: Package, function: str
) -> None:
    granted = allowed(in_production, function)
    assert granted[tuple(INVOKE_MODEL)] == [
        "bedrock:us-west-2::foundation-model/openai.gpt-oss-20b-1:0",
        "bedrock:us-west-2::foundation-model/openai.gpt-oss-120b-1:0",
    ]
    project = "arn:aws:bedrock-mantle:us-west-2:123456789012:project/default"
    assert granted["bedrock-mantle:CreateInference",] == [project]
    guardrail = "arn:aws:bedrock:us-west-2:123456789012:guardrail/abc123"
    assert granted["bedrock:ApplyGuardrail",] == [guardrail]


def stars(package: Package) -> Iterator[str]:
    """Yield a description of each star in a policy or permission of the template."""
    for resource in package.template["Resources"].values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Lambda::Permission":
            if properties["Principal"] == "*":
                yield f"{properties['Action']} Principal *"
            elif "*" in str(properties):
                yield text_of_sub(properties["SourceArn"])
        for policy in [properties, *properties.get("Policies", [])]:
            for statement in policy.get("PolicyDocument", {}).get("Statement", []):
                yield from stars_in(statement)


def stars_in(statement: dict[str, Any]) -> Iterator[str]:
    if statement["Effect"] == "Deny":
        yield f"Deny {statement['Action']} {statement['Principal']}"
        return
    yield from (action for action in statement["Action"] if "*" in action)
    for resource in statement["Resource"]:
        if resource == "*":
            yield f"{statement['Action'][0].split(':')[1]} *"
        elif "*" in json.dumps(resource):
            yield text_of_sub(resource)


def reasons(package: Package, listed: dict[str, str]) -> dict[str, str | None]:
    return {
        star: next((reason for end, reason in listed.items() if star.endswith(end)), None)
        for star in stars(package)
    }


def test_every_star_is_listed_with_its_reason(by_default: Package, customized: Package) -> None:
    for package, listed in ((by_default, STARS), (customized, STARS | STARS_OF_OPTIONS)):
        found = reasons(package, listed)
        assert [star for star, reason in found.items() if reason is None] == []
        assert set(found.values()) == set(listed.values())
