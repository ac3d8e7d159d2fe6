"""The `context` argument of a handler, with the fields of AWS's own Python client.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import json
import time
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from awslambda.runtime_api import Invocation


class CognitoIdentity(NamedTuple):
    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


class Client(NamedTuple):
    installation_id: str | None = None
    app_title: str | None = None
    app_version_name: str | None = None
    app_version_code: str | None = None
    app_package_name: str | None = None


class ClientContext(NamedTuple):
    client: Client | None = None
    custom: dict[str, Any] | None = None
    env: dict[str, Any] | None = None


class LambdaContext:
    """What a handler may know about the invocation it serves."""

    def __init__(
        self,
        invocation: Invocation,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.aws_request_id = invocation.request_id
        self.invoked_function_arn = invocation.function_arn
        self.tenant_id = invocation.tenant_id
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.identity = _identity(invocation.cognito_identity)
        self.client_context = _client_context(invocation.client_context)
        self._deadline_ms = invocation.deadline_ms
        self._clock = clock

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends this invocation; never negative."""
        return max(0, self._deadline_ms - int(self._clock() * 1000))

    def log(self, message: str) -> None:
        """Write to the function's log."""
        print(message)  # noqa: T201 -- standard output is the function's log

    def __repr__(self) -> str:
        return f"LambdaContext(aws_request_id={self.aws_request_id!r})"


def _identity(header: str | None) -> CognitoIdentity:
    fields = _object(header)
    return CognitoIdentity(fields.get("cognitoIdentityId"), fields.get("cognitoIdentityPoolId"))


def _client_context(header: str | None) -> ClientContext | None:
    if header is None:
        return None
    fields = _object(header)
    client = fields.get("client")
    return ClientContext(
        client=Client(**{name: client.get(name) for name in Client._fields}) if client else None,
        custom=fields.get("custom"),
        env=fields.get("env"),
    )


def _object(header: str | None) -> dict[str, Any]:
    value = json.loads(header) if header else {}
    return value if isinstance(value, dict) else {}
