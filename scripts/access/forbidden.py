"""What a 403 of AWS means (no I/O)."""

from __future__ import annotations

FORBIDDEN = 403
ERROR_TYPE = "x-amzn-ErrorType"
"""A header of AWS's own refusals; those of Sluice have none."""
LACKS_PERMISSION = ("AccessDeniedException", "ForbiddenException", "")
"""Types of refusals by a policy. Others are about the signature."""
URL_ACTIONS = "lambda:InvokeFunctionUrl and lambda:InvokeFunction"
WEBSOCKET_ACTIONS = "execute-api:Invoke on the $connect route"


def why_forbidden(error_type: str | None, *, is_signed: bool, actions: str) -> str:
    """What AWS's 403 means, by the error type in its header.

    AWS does not say which permission is missing, so all of them are named.
    """
    kind = (error_type or "").partition(":")[0]
    if kind not in LACKS_PERMISSION:
        return f"{FORBIDDEN} {kind}: check the AWS credentials, --region and this machine's clock"
    if is_signed:
        return f"{FORBIDDEN}: the caller's policy lacks a permission; it needs {actions}"
    return f"{FORBIDDEN}: the function's own policy must allow {actions}; deploy again"
