"""`python moto_program.py`: a moto server whose CloudFormation can deploy this service.

It prints its URL and serves until its input ends, which it does with the program that started it.
It adds what moto lacks: the types of moto_resources.py; a validation of templates without cfn-lint,
which `npm run lint` runs; updates, change sets and deletions where moto loses a resource or fails.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))


def stand_in_for_openapi_spec_validator() -> None:
    """moto's CloudFormation imports it for REST APIs, which this service has none of."""
    package = ModuleType("openapi_spec_validator")
    exceptions = ModuleType("openapi_spec_validator.validation.exceptions")
    package.validate = lambda *_arguments: None  # type: ignore[attr-defined]
    exceptions.OpenAPIValidationError = ValueError  # type: ignore[attr-defined]
    sys.modules["openapi_spec_validator"] = package
    sys.modules["openapi_spec_validator.validation"] = ModuleType("validation")
    sys.modules["openapi_spec_validator.validation.exceptions"] = exceptions


stand_in_for_openapi_spec_validator()

from moto.awslambda.models import LayerVersion  # noqa: E402 - after the stand-in
from moto.cloudformation import parsing  # noqa: E402
from moto.cloudformation.models import ChangeSet, CloudFormationBackend  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

from tests.packaging.moto_resources import (  # noqa: E402
    RECORD,
    RESOURCE_TYPES,
    delete_layer_version,
)

stock_type = parsing.resource_class_from_type
stock_update = parsing.parse_and_update_resource
stock_apply = ChangeSet.apply
stock_delete_stack = CloudFormationBackend.delete_stack


def resource_type(name: str) -> Any:
    if name in RESOURCE_TYPES:
        return RESOURCE_TYPES[name]
    return stock_type(name) or RECORD


def update_resource(logical_id: str, resource: Any, resources: Any, **account: Any) -> Any:
    """moto forgets a resource that it cannot update: here it stays."""
    return stock_update(logical_id, resource, resources, **account) or resources[logical_id]


def apply(change_set: ChangeSet) -> None:
    """moto's change sets make resources and leave the stack without their outputs."""
    stock_apply(change_set)
    stack = change_set.stack
    stack.template_dict = change_set.template_dict
    stack.output_map = stack._create_output_map()  # noqa: SLF001 - as Stack.update does


def delete_stack(backend: CloudFormationBackend, name: str) -> None:
    """moto fails on exports, when all else is deleted."""
    try:
        stock_delete_stack(backend, name)
    except KeyError as error:
        if not str(error.args[0]).startswith("sls-"):
            raise


REPLACED: tuple[tuple[Any, str, Any], ...] = (
    (parsing, "resource_class_from_type", resource_type),
    (parsing, "parse_and_update_resource", update_resource),
    (ChangeSet, "apply", apply),
    (CloudFormationBackend, "delete_stack", delete_stack),
    (CloudFormationBackend, "validate_template", lambda *_: []),
    (LayerVersion, "physical_resource_id", property(lambda version: version.arn)),
    (LayerVersion, "delete", delete_layer_version),
)


def main() -> None:
    for owner, name, replacement in REPLACED:
        setattr(owner, name, replacement)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
