"""Refusals of requests that a record or a limit does not allow, in OpenAI's shape.

OpenAI's SDKs read retry-after-ms before retry-after, and x-should-retry before the status.
https://github.com/openai/openai-python/blob/main/src/openai/_base_client.py
"""

from __future__ import annotations

from sluice.errors import AuthenticationFailed, NoRetry, SluiceError


class ModelNotAllowed(NoRetry):
    """The record allows other models only."""

    status = 403
    type = "invalid_request_error"
    code = "model_not_allowed"


class KeyNotAllowed(AuthenticationFailed):
    """A record's key that is blocked or has expired."""


class RateLimited(SluiceError):
    """Requests, tokens or answers at once are used up.

    retry_ms: how long, in ms; None where no waiting helps.
    """

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, kind: str, retry_ms: int | None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_ms = retry_ms

    @property
    def headers(self) -> dict[str, str]:
        if self.retry_ms is None:
            return {"x-should-retry": "false"}
        seconds = -(-self.retry_ms // 1000)
        return {"retry-after": str(seconds), "retry-after-ms": str(self.retry_ms)}

    def document(self) -> dict[str, object]:
        return {**super().document(), "type": self.kind}


class BudgetSpent(NoRetry):
    """The request could cost more than what is left of the budget."""

    status = 429
    type = "insufficient_quota"
    code = "insufficient_quota"


class ModelWithoutPrice(NoRetry):
    """A budget cannot be counted for a model whose price is unknown."""

    status = 403
    type = "invalid_request_error"
    code = "model_without_price"
