"""The environment variables of children, and the choices a user makes by them (no I/O).

For one name, later wins: serverless.yml, `.env`, the shell, what Lambda sets, and what only this
stack can know (its own ports, the demo model).
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local.errors import ConfigurationError
from local.project.serverless_yml import REGION, FunctionSettings

ACCOUNT_ID = "123456789012"
"""AWS's example account, in every ARN made here."""

WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
URL_AUTH_MODES = ("aws_iam", "none")
WEBSOCKET_AUTH_MODES = ("forward_key", "aws_iam", "none")
DEMO_KEY = "local-demo-model"
"""The demo model takes any key; a client may insist on one, and hides it wherever it occurs."""

STATE_FILE = ".state/sluice.sqlite3"
"""What takes the state table's place, below the folder of serverless.yml."""

# Node's and Python's own settings for this process would change what a function sees.
_NOT_INHERITED = re.compile(r"npm_.*|NODE_.*|PYTHON.*|VIRTUAL_ENV|AWS_.*", re.IGNORECASE)
_NO_ACCOUNT_HERE = ("OPENAI_API_KEY_PARAMETER", "FORWARD_KEY_PARAMETER")
_NAMES_AN_UPSTREAM = ("OPENAI_BASE_URL", "OPENAI_API_KEY_PARAMETER", "AZURE_OPENAI_ENDPOINT")
_DEFAULT_BASE_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class UserSettings:
    """What the user set: the shell's variables, and `.env` for the names the shell has not."""

    shell: Mapping[str, str]
    dotenv: Mapping[str, str]

    def merged(self) -> dict[str, str]:
        """Return both, the shell's value of a name first."""
        return {**self.dotenv, **self.shell}

    def get(self, name: str) -> str:
        """Return the value of `name`, or "" when it is not set."""
        return self.shell.get(name, self.dotenv.get(name, ""))

    def inherited(self) -> dict[str, str]:
        """Return what children see of it."""
        shell = {k: v for k, v in self.shell.items() if not _NOT_INHERITED.fullmatch(k)}
        return {**self.dotenv, **shell}

    def wants_demo_model(self) -> bool:
        """Return whether nothing names a real upstream."""
        named = any(self.get(name).strip() for name in _NAMES_AN_UPSTREAM)
        return not named and not holds_key(self.get("OPENAI_API_KEY"))


@dataclass(frozen=True, slots=True)
class Credentials:
    """The key pair that signs for, and is checked by, this stack."""

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Credentials(access_key={self.access_key!r})"


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """Where the stack listens, once it is known."""

    host: str
    http_port: int
    ws_port: int
    demo_base_url: str = ""

    def reachable_host(self) -> str:
        """Return the host to write into URLs: an address that clients can connect to."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"[{host}]" if ":" in host else host

    def http_url(self) -> str:
        """Return the Function URL."""
        return f"http://{self.reachable_host()}:{self.http_port}"

    def ws_url(self) -> str:
        """Return the WebSocket URL."""
        return f"ws://{self.reachable_host()}:{self.ws_port}"

    def management_url(self) -> str:
        """Return the endpoint of @connections."""
        return f"http://{self.reachable_host()}:{self.ws_port}"


def user_credentials(user: UserSettings) -> Credentials:
    """Return the user's AWS key pair, or local/local."""
    if user.get("AWS_ACCESS_KEY_ID") and user.get("AWS_SECRET_ACCESS_KEY"):
        return Credentials(
            user.get("AWS_ACCESS_KEY_ID"),
            user.get("AWS_SECRET_ACCESS_KEY"),
            user.get("AWS_SESSION_TOKEN"),
        )
    return Credentials("local", "local")


def function_environment(
    function: FunctionSettings, user: UserSettings, place: LocalPlace, folder: Path
) -> dict[str, str]:
    """Return serverless.yml's, the user's and this stack's variables for `function`.

    `folder` is that of serverless.yml, absolute.
    """
    environment = {**function.environment, **user.inherited()}
    for name in _NO_ACCOUNT_HERE:
        environment[name] = user.get(name)
    environment["STATE_FILE"] = str(folder / (user.get("STATE_FILE").strip() or STATE_FILE))
    # A table that the user deployed is not for the connections of this machine.
    environment["STATE_TABLE"] = ""
    environment["API_GW_ENDPOINT"] = user.get("API_GW_ENDPOINT") or place.management_url()
    if not user.get("WEBSOCKET_AUTH") and is_loopback(place.host):
        environment["WEBSOCKET_AUTH"] = "none"
    if place.demo_base_url:
        environment["OPENAI_BASE_URL"] = place.demo_base_url
        environment["OPENAI_API_KEY"] = DEMO_KEY
    environment["FUNCTION_URL_AUTH"] = environment.get("FUNCTION_URL_AUTH") or "aws_iam"
    return environment


def lambda_environment(
    function: FunctionSettings, runtime: str, task_root: str, log_stream: str, keys: Credentials
) -> dict[str, str]:
    """Return what Lambda itself sets, save the address of the Runtime API.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    token = {"AWS_SESSION_TOKEN": keys.token} if keys.token else {}
    return {
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": task_root,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "TZ": ":UTC",
        **token,
    }


def function_arn(function: FunctionSettings) -> str:
    """Return the ARN that the function is invoked by."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{function.name}"


def holds_key(text: str) -> bool:
    """Return whether a comma-separated list holds a key; blanks are none."""
    return any(part.strip() for part in text.split(","))


def has_forward_key(environment: Mapping[str, str]) -> bool:
    """Return whether a function knows a key that clients can show, here or in a parameter."""
    parameter = environment.get("FORWARD_KEY_PARAMETER", "").strip()
    return bool(parameter) or holds_key(environment.get("FORWARD_KEY", ""))


def check_auth(environment: Mapping[str, str], host: str) -> None:
    """Refuse settings that would let anyone in; raises ConfigurationError naming the variable.

    `environment` is a function's, as `function_environment` made it.
    """
    url_auth = environment.get("FUNCTION_URL_AUTH", "")
    if url_auth not in URL_AUTH_MODES:
        raise ConfigurationError(f"FUNCTION_URL_AUTH must be aws_iam or none, found {url_auth!r}")
    if url_auth == "none" and not has_forward_key(environment):
        raise ConfigurationError(
            "FUNCTION_URL_AUTH=none lets anyone use your key: set FORWARD_KEY too, or use aws_iam"
        )
    _check_websocket_auth(environment.get("WEBSOCKET_AUTH", ""), host)


def _check_websocket_auth(mode: str, host: str) -> None:
    if mode and mode not in WEBSOCKET_AUTH_MODES:
        raise ConfigurationError(
            f"WEBSOCKET_AUTH must be forward_key, aws_iam or none, found {mode!r}"
        )
    if mode == "none" and not is_loopback(host):
        raise ConfigurationError(
            f"WEBSOCKET_AUTH=none is for loopback only and the host is {host}: "
            "use forward_key or aws_iam, or listen on 127.0.0.1"
        )


def upstream_host(environment: Mapping[str, str]) -> str:
    """Return scheme and host of the upstream; a base URL may carry a key elsewhere.

    Raises ConfigurationError for another text than a URL, which it does not quote.
    """
    variable = "AZURE_OPENAI_ENDPOINT" if _asks_azure(environment) else "OPENAI_BASE_URL"
    text = environment.get(variable, "").strip() or _DEFAULT_BASE_URL
    scheme, host, port = _parts(text)
    if scheme not in ("http", "https") or not host or port == 0:
        raise ConfigurationError(
            f"{variable}: expected http:// or https:// and a host, "
            "with a port of 1 to 65535 if it names one; found another text"
        )
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" + (f":{port}" if port else "")


def _asks_azure(environment: Mapping[str, str]) -> bool:
    """Return whether the endpoint of Azure is what is asked: it is, unless told otherwise."""
    mode = environment.get("AZURE_OPENAI_PROXY_MODE", "").strip()
    return bool(environment.get("AZURE_OPENAI_ENDPOINT", "").strip()) and mode != "openai"


def _parts(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port, all empty for a text that is no URL."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    return "", "", None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
