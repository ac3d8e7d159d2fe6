"""The same job as Python functions do it today: boto3, requests and sseclient-py."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
import requests
import sseclient

TIMEOUT_S = 60
PARAMETER = os.environ["OPENAI_API_KEY_PARAMETER"]
KEY = boto3.client("ssm").get_parameter(Name=PARAMETER, WithDecryption=True)["Parameter"]["Value"]


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """AWS's Python client sends whole answers only."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    url = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
    reply = requests.post(
        url, event["body"].encode(), headers=headers, stream=True, timeout=TIMEOUT_S
    )
    reply.raise_for_status()
    text = ""
    for received in sseclient.SSEClient(reply.iter_content(None)).events():
        if received.data == "[DONE]":
            break
        text += json.loads(received.data)["choices"][0]["delta"].get("content", "")
    return {
        "statusCode": reply.status_code,
        "headers": {"Content-Type": "text/plain"},
        "body": text,
    }
