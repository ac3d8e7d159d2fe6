"""Providers and projects that cause the symptoms which a page describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.child_environment import ROOT
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    chunk,
    delta,
    dies_after,
    holds_after,
    refused_url,
    replies,
    says,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scripted_upstream import Script


def _error(message: str, code: str) -> dict[str, object]:
    kind = "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


SCRIPTS: dict[str, Script] = {
    "answers": says("Hel", "lo"),
    # What OpenAI, Ollama and Azure reply.
    "model-unknown": replies(
        404,
        _error(
            "The model `no-such-model` does not exist or you do not have access to it.",
            "model_not_found",
        ),
    ),
    "busy": replies(
        429,
        _error("Rate limit reached for requests. Please try again in 20s.", "rate_limit_exceeded"),
        retry_after="60",
    ),
    "wrong-key": replies(401, _error("Incorrect API key provided: sk-.", "invalid_api_key")),
    "azure-deployment": replies(
        404,
        {
            "error": {
                "code": "DeploymentNotFound",
                "message": "The API deployment for this resource does not exist. If you created "
                "the deployment within the last 5 minutes, please wait a moment and try again.",
            }
        },
    ),
    "azure-version": replies(404, {"error": {"code": "404", "message": "Resource not found"}}),
    "silent": holds_after(),
    "breaks-off": dies_after(EVENT_STREAM_HEAD + chunk(delta("Hel"))),
}
"""Scripts by the name that PROVIDER has in a page's comment."""

UNREACHABLE = refused_url()

SERVERLESS_YML = """\
service: own
provider:
  name: aws
  environment: { AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap }
  layers: [!Ref RuntimeLambdaLayer]
functions:
  page: { handler: app.page, url: true }
  chat: { handler: app.chat, events: [{ websocket: $connect }, { websocket: $default }] }
layers: { runtime: { path: layers/runtime } }
"""
PROJECTS = {
    "crashes": """\
def page(event, context):
    raise ValueError("a bug")

def chat(event, context):
    if event["requestContext"]["routeKey"] == "$connect":
        return {"statusCode": 200}
    raise ValueError("a bug")
""",
}
"""Modules `app` by the name that PROJECT has in a page's comment."""


def write_project(folder: Path, name: str) -> Path:
    """Write a project of that name; return its serverless.yml."""
    folder.mkdir()
    (folder / "app.py").write_text(PROJECTS[name], encoding="utf-8")
    (folder / "layers").symlink_to(ROOT / "layers")
    config = folder / "serverless.yml"
    config.write_text(SERVERLESS_YML, encoding="utf-8")
    return config
