"""Resource types that moto's CloudFormation lacks or half knows, over moto's own backends.

Each `create_…` takes what the template says, with its references resolved, and gives what moto's
CloudFormation keeps of a resource: its physical id, its attributes, how it is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.awslambda.models import LambdaFunction, LayerVersion, lambda_backends
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table

Properties = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """Where a resource is created."""

    account_id: str
    region: str


class StackResource:
    """A resource as moto's CloudFormation sees it; `delete` undoes its creation."""

    cf_resource_type = ""
    logical_resource_id = ""

    def __init__(
        self,
        physical_resource_id: str,
        attributes: Mapping[str, str] | None = None,
        on_delete: Callable[[], object] = lambda: None,
    ) -> None:
        self.physical_resource_id = physical_resource_id
        self._attributes = attributes or {}
        self._on_delete = on_delete

    def get_cfn_attribute(self, name: str) -> str:
        return self._attributes.get(name, self.physical_resource_id)

    def is_created(self) -> bool:
        return True

    def delete(self, _account_id: str, _region: str) -> None:
        self._on_delete()


Create = Callable[[str, Properties, Account], Any]
Update = Callable[[Any, Properties, Account], Any]


def keep(resource: Any, _properties: Properties, _account: Account) -> Any:
    """Leave an updated resource as it was created."""
    return resource


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource type for moto's CloudFormation, instead of one of its model classes."""

    create: Create
    update: Update = keep

    def create_from_cloudformation_json(
        self,
        resource_name: str,
        cloudformation_json: Properties,
        account_id: str,
        region_name: str,
        **_kwargs: Any,
    ) -> Any:
        properties = cloudformation_json["Properties"]
        return self.create(resource_name, properties, Account(account_id, region_name))

    def update_from_cloudformation_json(
        self,
        original_resource: Any,
        new_resource_name: str,  # noqa: ARG002 - moto calls by this name
        cloudformation_json: Properties,
        account_id: str,
        region_name: str,
    ) -> Any:
        properties = cloudformation_json["Properties"]
        return self.update(original_resource, properties, Account(account_id, region_name))

    def delete_from_cloudformation_json(self, *_arguments: Any) -> None:
        """Do nothing: a StackResource deletes itself."""

    def has_cfn_attr(self, _name: str) -> bool:
        return True


def create_record(name: str, _properties: Properties, _account: Account) -> StackResource:
    """Create a resource of a type that moto lacks: it is in the stack alone."""
    return StackResource(name, {"Arn": f"arn:aws:record:::{name}"})


def create_function(name: str, properties: Properties, account: Account) -> Any:
    """Create a function, with the properties that moto drops."""
    function = LambdaFunction.create_from_cloudformation_json(
        name, {"Properties": properties}, account.account_id, account.region
    )
    return set_dropped_properties(function, properties, account)


def update_function(function: Any, properties: Properties, account: Account) -> Any:
    LambdaFunction.update_from_cloudformation_json(
        function, "", {"Properties": properties}, account.account_id, account.region
    )
    return set_dropped_properties(function, properties, account)


def set_dropped_properties(function: Any, properties: Properties, _account: Account) -> Any:
    function.update_configuration({"Layers": properties.get("Layers", [])})
    function.architectures = properties.get("Architectures", ["x86_64"])
    function.tracing_config = properties.get("TracingConfig", {"Mode": "PassThrough"})
    function.tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    return function


def create_layer_version(_name: str, properties: Properties, account: Account) -> LayerVersion:
    """Create the next version of the layer that the template names; moto would invent a name."""
    backend = lambda_backends[account.account_id][account.region]
    return backend.publish_layer_version(properties)


def replace_layer_version(old: Any, properties: Properties, account: Account) -> LayerVersion:
    new = create_layer_version("", properties, account)
    delete_layer_version(old, account.account_id, account.region)
    return new


def delete_layer_version(layer: Any, account_id: str, region: str) -> None:
    lambda_backends[account_id][region].delete_layer_version(layer.name, str(layer.version))


def create_function_url(name: str, properties: Properties, account: Account) -> StackResource:
    backend = lambda_backends[account.account_id][account.region]
    function = properties["TargetFunctionArn"]
    config = backend.create_function_url_config(function, properties)
    attributes = {"FunctionUrl": f"{config.url}/", "FunctionArn": function}
    return StackResource(name, attributes)  # goes with its function


def create_table(name: str, properties: Properties, account: Account) -> Any:
    """Create a table, with the properties that moto drops."""
    table = Table.create_from_cloudformation_json(
        name, {"Properties": properties}, account.account_id, account.region
    )
    backend = dynamodb_backends[account.account_id][account.region]
    if "TimeToLiveSpecification" in properties:
        backend.update_time_to_live(name, properties["TimeToLiveSpecification"])
    if "PointInTimeRecoverySpecification" in properties:
        backend.update_continuous_backups(name, properties["PointInTimeRecoverySpecification"])
    return StackResource(name, {"Arn": table.table_arn}, lambda: backend.delete_table(name))


RECORD = ResourceType(create_record)

RESOURCE_TYPES = {
    "AWS::Lambda::Function": ResourceType(create_function, update_function),
    "AWS::Lambda::LayerVersion": ResourceType(create_layer_version, replace_layer_version),
    "AWS::Lambda::Url": ResourceType(create_function_url),
    "AWS::DynamoDB::Table": ResourceType(create_table),
}
