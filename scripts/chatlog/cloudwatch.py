"""Lines of a deployment's chat log, from CloudWatch Logs, through boto3."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config

from scripts.access.aws_errors import AWS_ERRORS, code_of, remedy
from scripts.access.errors import ToolError
from scripts.chatlog.chat_lines import is_chat_line

CONFIG = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "adaptive", "total_max_attempts": 10}
)
"""FilterLogEvents takes 5 requests a second in an account and region, or 25 in large ones.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""
FUNCTIONS = ("default", "stream")
"""The functions that log conversations."""
PATTERN = "?datetime ?chat_part"
"""Events with either word: usual lines and Lambda's own have neither."""
REMEDIES = {
    "ResourceNotFoundException": "Check --stage and --region, and that the stage is deployed.",
    "AccessDeniedException": (
        "Check the credentials (AWS_PROFILE) and the policy in docs/chat-log.md."
    ),
}


def chat_lines(service: str, stage: str, since_ms: int, session: boto3.Session) -> Iterator[str]:
    """The lines of all functions since a time in Unix milliseconds, in their order.

    session: makes the client; see boto3.Session. Raises ToolError.
    """
    groups = [f"/aws/lambda/{service}-{stage}-{function}" for function in FUNCTIONS]
    events = [_events(group, since_ms, session) for group in groups]
    for event in heapq.merge(*events, key=lambda event: int(event["timestamp"])):
        if is_chat_line(event["message"]):
            yield event["message"]


def _events(group: str, since_ms: int, session: boto3.Session) -> Iterator[Any]:
    try:
        pages = session.client("logs", config=CONFIG).get_paginator("filter_log_events")
        for page in pages.paginate(
            logGroupName=group, startTime=since_ms, filterPattern=PATTERN, interleaved=True
        ):
            yield from page["events"]
    except AWS_ERRORS as error:
        code = code_of(error)
        raise ToolError(
            f"The log group {group} in {session.region_name} could not be read ({code})."
            f" {remedy(code, REMEDIES)}"
        ) from error
