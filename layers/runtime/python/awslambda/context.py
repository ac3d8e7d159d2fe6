"""The `context` argument of a handler, with the fields of AWS's own Python client.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

from awslambda.errors import ContextUnmarshalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from awslambda.runtime_api import Invocation

W3C_FIELDS = ("traceparent", "tracestate", "baggage")


class _Fields(SimpleNamespace):
    def __repr__(self) -> str:
        public = (f"{name}={value}" for name, value in vars(self).items() if name[0] != "_")
        return f"{type(self).__name__}([{','.join(public)}])"


class CognitoIdentity(_Fields):
    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.cognito_identity_id: str | None = fields.get("cognitoIdentityId")
        self.cognito_identity_pool_id: str | None = fields.get("cognitoIdentityPoolId")


class Client(_Fields):
    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.installation_id: str | None = fields.get("installation_id")
        self.app_title: str | None = fields.get("app_title")
        self.app_version_name: str | None = fields.get("app_version_name")
        self.app_version_code: str | None = fields.get("app_version_code")
        self.app_package_name: str | None = fields.get("app_package_name")


class ClientContext(_Fields):
    def __init__(self, fields: Mapping[str, Any]) -> None:
        client = fields.get("client")
        self.custom: dict[str, Any] | None = fields.get("custom")
        self.env: dict[str, Any] | None = fields.get("env")
        self.client = None if client is None else Client(client)


class LambdaContext(_Fields):
    """The current invocation, as the handler sees it.

    Raises ContextUnmarshalError for a client context or an identity that is not JSON, and, as AWS's
    client does, AttributeError for JSON that is not an object.
    """

    def __init__(
        self,
        invocation: Invocation,
        environ: Mapping[str, str],
        write: Callable[[str], object] = print,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.aws_request_id = invocation.request_id
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = invocation.function_arn
        sent = _parse(invocation.client_context, "Client Context")
        self._w3c = _take_w3c(sent)
        self.client_context = None if sent is None else ClientContext(sent)
        identity = _parse(invocation.cognito_identity, "Cognito Identity")
        self.identity = CognitoIdentity({} if identity is None else identity)
        self.tenant_id = invocation.tenant_id
        self._trace_header = invocation.trace_id
        self._deadline_ms = invocation.deadline_ms
        self._write = write
        self._clock = clock

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends this invocation; never negative."""
        return max(0, self._deadline_ms - int(self._clock() * 1000))

    @property
    def trace_header(self) -> str | None:
        """X-Ray's trace header, as in _X_AMZN_TRACE_ID, but of this invocation for sure."""
        return self._trace_header

    def w3c(self) -> dict[str, str]:
        """The W3C trace context that the caller sent in the client context."""
        return dict(self._w3c)

    def log(self, message: object) -> None:
        """Write to the function's log, as one event."""
        self._write(str(message))


def _take_w3c(client_context: Any) -> dict[str, str]:
    sent = client_context.pop("w3c", None) if isinstance(client_context, dict) else None
    if not isinstance(sent, dict):
        return {}
    return {name: sent[name] for name in W3C_FIELDS if isinstance(sent.get(name), str)}


def _parse(header: str | None, name: str) -> Any:
    if not header:
        return None
    try:
        return json.loads(header)
    except (ValueError, RecursionError) as error:
        raise ContextUnmarshalError(f"Unable to parse {name} JSON: {error}") from error
