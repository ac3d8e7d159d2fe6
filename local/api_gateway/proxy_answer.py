"""What API Gateway reads in the answer of a WebSocket route's function (no I/O).

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integrations.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from local.errors import PreludeError
from local.http.prelude import HttpHead, head_from


@dataclass(frozen=True, slots=True)
class ProxyAnswer:
    """The status a function answered with, and the sub-protocol it chose."""

    status: int
    protocol: str | None

    def is_success(self) -> bool:
        """Return whether the status lets a connection in."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110: 2xx is success


def read_proxy_answer(payload: bytes) -> ProxyAnswer | None:
    """Return the answer, or None when it is not what a proxy integration expects."""
    try:
        told = json.loads(payload)
        if not isinstance(told, dict) or "statusCode" not in told:
            return None
        head: HttpHead = head_from(told)
    except (ValueError, PreludeError):
        return None
    return ProxyAnswer(head.status, head.header("sec-websocket-protocol"))
