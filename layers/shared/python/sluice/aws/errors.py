"""Errors of requests to AWS's APIs.

AwsError
├── AwsMisconfigured       no request was sent: the environment lacks something
├── AwsUnreachable         no answer in time, or none that can be read
└── AwsRefused             AWS answered with an error
    └── ConditionFailed    the item does not meet the condition of a write
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class AwsError(Exception):
    """A request failed. `str` names the code alone: AWS's messages may quote values.

    code: AWS's, or one of this module. status: of the reply, 0 without one. may_be_done: whether
    AWS may have done what was requested.
    """

    def __init__(
        self,
        code: str,
        status: int = 0,
        message: str = "",
        request_id: str = "",
        *,
        may_be_done: bool = False,
    ) -> None:
        super().__init__(code)
        self.code, self.status, self.message, self.request_id = code, status, message, request_id
        self.may_be_done = may_be_done


class AwsMisconfigured(AwsError):
    """The code says what is missing or invalid."""


class AwsUnreachable(AwsError):
    """The code is the name of the transport's error, or InvalidReply."""


class AwsRefused(AwsError):
    """document: AWS's JSON. server_time: when AWS answered, in seconds since 1970, or 0.0."""

    document: Mapping[str, Any] = {}
    server_time = 0.0


class ConditionFailed(AwsRefused):
    """item: what the table holds, if the write requested it and there is an item."""

    item: dict[str, Any] | None = None
