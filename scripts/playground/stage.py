"""What the page must know of a stage: addresses, proofs, and whether CORS permits the page.

The stage itself shows what it requires: this checkout may have other settings than its deployment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import requests
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from local.playground.settings import PageSettings, api_path
from local.project.environment import UserSettings
from local.project.overview import default_model
from local.project.prompt_templates import template_names
from local.project.serverless_yml import ServiceFile
from scripts.access.addresses import deployed_addresses
from scripts.access.place import session_of
from scripts.playground.command_line import Options

TIMEOUT_S = 10.0
"""Time for the stage to answer, in seconds: a cold function takes one."""

IS_SIGNED = (
    "The Function URL requires signatures (FUNCTION_URL_AUTH=aws_iam), and browsers cannot sign"
    " their preflight requests. Choose WebSocket, or deploy with FUNCTION_URL_AUTH=none."
)
NO_CORS = (
    "The Function URL does not permit this page. Choose WebSocket, or deploy with"
    " CORS_ALLOW_ORIGINS={origin}."
)
UNREACHABLE = "The {part} does not answer ({error}). Check that the stage is deployed."
HINT = "If the browser's console names CORS, deploy with CORS_ALLOW_ORIGINS={origin}."
PROOFS = {401: "key", 403: "signature"}
"""What a WebSocket requires that refuses a client without a proof. API Gateway itself, which checks
signatures, answers 403; the function of $connect answers 401."""


def page_settings(options: Options, user: UserSettings, folder: Path, origin: str) -> PageSettings:
    """Look the stage up. Raises ToolError, ConfigurationError."""
    addresses = options.addresses or deployed_addresses(
        session_of(user, options.region).client("cloudformation"), options.stack
    )
    variables = _variables(options, user, folder)
    path = api_path(variables.get("OPENAI_ROUTE_PREFIX", ""))
    url_fault = cors_fault(f"{addresses.http_url}{path}/models", origin)
    websocket_auth, websocket_fault = required_proof(addresses.websocket_url)
    return PageSettings(
        title="a service" if options.addresses else f"stage {options.stage}",
        http_url=addresses.http_url,
        websocket_url=addresses.websocket_url,
        url_auth="signature" if url_fault == IS_SIGNED else "key",
        websocket_auth=websocket_auth,
        region=options.region,
        model=default_model(variables),
        api_path=path,
        templates=template_names(variables),
        notes=tuple(filter(None, (url_fault, websocket_fault))),
        network_hint=HINT.format(origin=origin),
        is_deployed=True,
        is_url_usable=not url_fault,
    )


def cors_fault(url: str, origin: str) -> str:
    """Ask as the browser will, without a key; return what keeps a page of `origin` out, or ""."""
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    try:
        reply = requests.options(url, headers=asks, timeout=TIMEOUT_S)
    except requests.RequestException as error:
        return UNREACHABLE.format(part="Function URL", error=type(error).__name__)
    allowed = reply.headers.get("access-control-allow-origin")
    if reply.ok and allowed in ("*", origin):
        return ""
    # AWS's refusals name their type in this header; Sluice's do not.
    is_aws = "x-amzn-errortype" in reply.headers
    return IS_SIGNED if is_aws else NO_CORS.format(origin=origin)


def required_proof(url: str) -> tuple[str, str]:
    """Connect without a proof; return which one is required, and what is wrong, or ""."""
    try:
        with connect(url, open_timeout=TIMEOUT_S):
            return "none", ""
    except InvalidStatus as error:
        status = error.response.status_code
        if status in PROOFS:
            return PROOFS[status], ""
        return "key", UNREACHABLE.format(part="WebSocket", error=f"status {status}")
    except (OSError, WebSocketException) as error:
        return "key", UNREACHABLE.format(part="WebSocket", error=type(error).__name__)


def _variables(options: Options, user: UserSettings, folder: Path) -> Mapping[str, str]:
    """Return the variables of the function with the URL, as this checkout would deploy them."""
    service = ServiceFile(folder / "serverless.yml").service(user.merged(), options.stage)
    function = service.url_function()
    return function.environment if function else {}
