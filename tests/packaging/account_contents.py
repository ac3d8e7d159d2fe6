"""The contents of the account after a deployment, as far as moto keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.packaging.cloud_account import CloudAccount

STACK = "sluice-dev"


@dataclass(frozen=True, slots=True)
class Table:
    """A DynamoDB table; `expiry` is the attribute of its TTL."""

    name: str
    billing_mode: str
    expiry: str | None
    recovers: bool


@dataclass(frozen=True, slots=True)
class AccountContents:
    """The contents; functions and URLs by the last part of the function's name."""

    outputs: dict[str, str]
    resource_types: dict[str, str]
    functions: dict[str, dict[str, Any]]
    urls: dict[str, dict[str, Any]]
    layers: dict[str, int]
    tables: list[Table]
    log_groups: dict[str, int | None]
    buckets: list[str]


def look_into(account: CloudAccount) -> AccountContents:
    functions = _functions(account)
    return AccountContents(
        outputs=_outputs(account),
        resource_types=_resource_types(account),
        functions=functions,
        urls=_urls(account, functions),
        layers=_layers(account),
        tables=_tables(account),
        log_groups=_log_groups(account),
        buckets=[bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]],
    )


def _stacks(account: CloudAccount) -> list[dict[str, Any]]:
    described: list[dict[str, Any]] = account.client("cloudformation").describe_stacks()["Stacks"]
    return [stack for stack in described if stack["StackName"] == STACK]


def _outputs(account: CloudAccount) -> dict[str, str]:
    outputs = [output for stack in _stacks(account) for output in stack["Outputs"]]
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def _resource_types(account: CloudAccount) -> dict[str, str]:
    if not _stacks(account):
        return {}
    pages = account.client("cloudformation").get_paginator("list_stack_resources")
    listed = [page["StackResourceSummaries"] for page in pages.paginate(StackName=STACK)]
    return {r["LogicalResourceId"]: r["ResourceType"] for page in listed for r in page}


def _functions(account: CloudAccount) -> dict[str, dict[str, Any]]:
    listed = account.client("lambda").list_functions()["Functions"]
    return {each["FunctionName"].removeprefix(f"{STACK}-"): each for each in listed}


def _urls(account: CloudAccount, functions: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    client = account.client("lambda")
    found = {}
    for name, function in functions.items():
        try:
            config = client.get_function_url_config(FunctionName=function["FunctionName"])
        except client.exceptions.ResourceNotFoundException:
            continue
        found[name] = {key: value for key, value in config.items() if key != "ResponseMetadata"}
    return found


def _layers(account: CloudAccount) -> dict[str, int]:
    """Return the newest version of each layer."""
    listed = account.client("lambda").list_layers()["Layers"]
    return {each["LayerName"]: each["LatestMatchingVersion"]["Version"] for each in listed}


def _tables(account: CloudAccount) -> list[Table]:
    client = account.client("dynamodb")
    return [_table(client, name) for name in client.list_tables()["TableNames"]]


def _table(client: Any, name: str) -> Table:
    described = client.describe_table(TableName=name)["Table"]
    lifetime = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    return Table(
        name,
        described["BillingModeSummary"]["BillingMode"],
        lifetime.get("AttributeName") if lifetime["TimeToLiveStatus"] == "ENABLED" else None,
        recovers=recovery == "ENABLED",
    )


def _log_groups(account: CloudAccount) -> dict[str, int | None]:
    """Return the days that each log group keeps, or None for ever."""
    listed = account.client("logs").describe_log_groups()["logGroups"]
    return {group["logGroupName"]: group.get("retentionInDays") for group in listed}
