"""The addresses of a deployed stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scripts.access.aws_errors import AWS_ERRORS, code_of, remedy
from scripts.access.errors import ToolError

OUTPUTS = ("StreamLambdaFunctionUrl", "ServiceEndpointWebsocket")
"""The outputs of the stack that hold the addresses, as osls names them."""
REMEDIES = {
    "ValidationError": "It does not exist: check --stage and --region, or deploy it.",
    "AccessDenied": "The AWS credentials must allow cloudformation:DescribeStacks.",
}


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of the service; `http_url` has no slash at its end."""

    http_url: str
    websocket_url: str


def deployed_addresses(cloudformation: Any, stack: str) -> Addresses:
    """The addresses in the outputs of the stack. Raises ToolError.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
    """
    try:
        (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except AWS_ERRORS as error:
        region = cloudformation.meta.region_name
        raise ToolError(
            f"Cannot look up the stack {stack} in {region} ({code_of(error)})."
            f" {remedy(code_of(error), REMEDIES)}"
        ) from error
    outputs = {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
    missing = [name for name in OUTPUTS if name not in outputs]
    if missing:
        raise ToolError(
            f"The stack {stack} has no output {' and no '.join(missing)}: deploy it again."
        )
    url, websocket = (outputs[name] for name in OUTPUTS)
    return Addresses(url.rstrip("/"), websocket)
