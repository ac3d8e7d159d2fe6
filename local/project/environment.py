"""The environment variables of the functions, and the settings that users make by them (no I/O).

Later sources override earlier ones: serverless.yml, `.env`, the shell, Lambda's own variables, and
what only this stack knows (its ports, the demo model).
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local.errors import ConfigurationError
from local.project.lists import entries
from local.project.serverless_yml import REGION, FunctionSettings

ACCOUNT_ID = "123456789012"
"""The account in every ARN: AWS's example account."""

WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
URL_AUTH_MODES = ("aws_iam", "none")
WEBSOCKET_AUTH_MODES = ("forward_key", "aws_iam", "none")
DEMO_KEY = "local-demo-model"
"""Key for the demo model, which accepts any: the functions require one, and mask it in answers."""

WELL_KNOWN = "local"
"""Access key and secret key if the user has none: anyone may know them."""

STATE_FILE = ".state/sluice.sqlite3"
"""File that replaces the state table, relative to the folder of serverless.yml."""
CHAT_FILE = ".state/chat.jsonl"
"""File of the chat log, relative to the same folder."""

# Settings for this process's own Node.js and Python, which would change a function.
_NOT_INHERITED = re.compile(r"npm_.*|NODE_.*|PYTHON.*|VIRTUAL_ENV|AWS_.*", re.IGNORECASE)
_NO_ACCOUNT_HERE = ("OPENAI_API_KEY_PARAMETER", "FORWARD_KEY_PARAMETER")
_NAMES_AN_UPSTREAM = ("OPENAI_BASE_URL", "OPENAI_API_KEY_PARAMETER", "AZURE_OPENAI_ENDPOINT")
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Where a client arrives that connects to all addresses."""
_ADDRESSES = ("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "EXTRA_BASE_URL")
_MAY_BE_A_KEY = re.compile(r"(?<=/)(?:sk-[^/]*|(?=[^/]*\d)[^/.]{20,})")
_DEFAULT_BASE_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class UserSettings:
    """The user's settings: the variables of the shell and, where it has none, of `.env`."""

    shell: Mapping[str, str]
    dotenv: Mapping[str, str]

    def merged(self) -> dict[str, str]:
        """Return both; the shell overrides `.env`."""
        return {**self.dotenv, **self.shell}

    def get(self, name: str) -> str:
        """Return the value of `name`, or "" if it is missing."""
        return self.shell.get(name, self.dotenv.get(name, ""))

    def has_own_keys(self) -> bool:
        """Return whether the user has an AWS key pair that is not the well-known one."""
        pair = self.get("AWS_ACCESS_KEY_ID"), self.get("AWS_SECRET_ACCESS_KEY")
        return all(pair) and pair != (WELL_KNOWN, WELL_KNOWN)

    def inherited(self) -> dict[str, str]:
        """Return the variables that the functions inherit."""
        shell = {k: v for k, v in self.shell.items() if not _NOT_INHERITED.fullmatch(k)}
        return {**self.dotenv, **shell}

    def wants_demo_model(self) -> bool:
        """Return whether no setting names a real upstream.

        The key `local` is one for SDKs, which the shell may have for them: OpenAI has no such key.
        """
        named = any(self.get(name).strip() for name in _NAMES_AN_UPSTREAM)
        return not named and keys_of(self.get("OPENAI_API_KEY")) <= {WELL_KNOWN}


@dataclass(frozen=True, slots=True)
class Credentials:
    """The key pair of this stack: its functions sign with it, and its servers verify it."""

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Credentials(access_key={self.access_key!r})"

    def is_well_known(self) -> bool:
        """Return whether anyone may know this pair."""
        return (self.access_key, self.secret_key) == (WELL_KNOWN, WELL_KNOWN)


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """Where the stack listens."""

    host: str
    http_port: int
    ws_port: int
    demo_base_url: str = ""
    model: str = ""
    """The name of the real model at demo_base_url, if it is one."""

    def reachable_host(self) -> str:
        """Return the host for URLs: an address that clients can connect to."""
        host = _LOOPBACK.get(self.host, self.host)
        return f"[{host}]" if ":" in host else host

    def http_url(self) -> str:
        return f"http://{self.reachable_host()}:{self.http_port}"

    def ws_url(self) -> str:
        return f"ws://{self.reachable_host()}:{self.ws_port}"

    def management_url(self) -> str:
        return f"http://{self.reachable_host()}:{self.ws_port}"

    def has(self, url: str) -> bool:
        """Return whether the stack itself listens at `url`."""
        _, host, port = _parts(url)
        is_here = is_loopback(_LOOPBACK.get(host, host)) or host == self.host
        return is_here and port in (self.http_port, self.ws_port)


def user_credentials(user: UserSettings, host: str) -> Credentials:
    """Return the user's AWS key pair; without one local/local, but on loopback only.

    Elsewhere the functions alone sign, so that nobody has to know the secret.
    """
    if user.has_own_keys():
        return Credentials(
            user.get("AWS_ACCESS_KEY_ID"),
            user.get("AWS_SECRET_ACCESS_KEY"),
            user.get("AWS_SESSION_TOKEN"),
        )
    secret = WELL_KNOWN if is_loopback(host) else secrets.token_urlsafe()
    return Credentials(WELL_KNOWN, secret)


def function_environment(
    function: FunctionSettings, user: UserSettings, place: LocalPlace, folder: Path
) -> dict[str, str]:
    """Return the variables of serverless.yml, the user and this stack for `function`.

    `folder` is the absolute folder of serverless.yml.
    """
    environment = {**function.environment, **user.inherited()}
    for name in _NO_ACCOUNT_HERE:
        environment[name] = user.get(name)
    environment["STATE_FILE"] = state_file(user, folder)
    environment["LOG_CHAT_FILE"] = chat_file(user, folder) if logs_chats(environment) else ""
    # A deployed table must not hold the connections of this machine, nor its answers.
    environment["STATE_TABLE"] = environment["CACHE_TABLE"] = ""
    own_endpoint = "" if names_another_api(user) else user.get("API_GW_ENDPOINT")
    environment["API_GW_ENDPOINT"] = own_endpoint or place.management_url()
    if not user.get("WEBSOCKET_AUTH") and is_loopback(place.host):
        environment["WEBSOCKET_AUTH"] = "none"
    if place.demo_base_url:
        environment["OPENAI_BASE_URL"] = place.demo_base_url
        environment["OPENAI_API_KEY"] = DEMO_KEY
        if not user.get("EXTRA_BASE_URL").strip():
            environment["PROXY"] = ""  # another machine's proxy cannot reach the demo model
    if place.model:
        environment["OPENAI_MODEL"] = place.model
        environment["AZURE_OPENAI_ENDPOINT"] = ""  # --model is chosen for this run
    environment["FUNCTION_URL_AUTH"] = environment.get("FUNCTION_URL_AUTH") or "aws_iam"
    return environment


def names_another_api(user: UserSettings) -> bool:
    """Return whether API_GW_ENDPOINT is another machine's: it knows none of these connections."""
    endpoint = user.get("API_GW_ENDPOINT").strip()
    return bool(endpoint) and not is_loopback(_parts(endpoint)[1])


def own_environment(function: FunctionSettings, user: UserSettings) -> dict[str, str]:
    """Return the variables of a function of another service: of its serverless.yml and the user."""
    return {**function.environment, **user.inherited()}


def state_file(user: UserSettings, folder: Path) -> str:
    """Return the path of the state file; `folder` is the absolute folder of serverless.yml."""
    return str(folder / (user.get("STATE_FILE").strip() or STATE_FILE))


def chat_file(user: UserSettings, folder: Path) -> str:
    """Return the path of the chat log; `folder` is the absolute folder of serverless.yml."""
    return str(folder / (user.get("LOG_CHAT_FILE").strip() or CHAT_FILE))


def logs_chats(environment: Mapping[str, str]) -> bool:
    """Return whether a function logs messages and answers."""
    return environment.get("LOG_CHAT", "").strip().lower() == "true"


def lambda_environment(
    function: FunctionSettings, runtime: str, task_root: str, log_stream: str, keys: Credentials
) -> dict[str, str]:
    """Return Lambda's own variables, except the address of the Runtime API.

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
    return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{function.name}"


def keys_of(text: str) -> frozenset[str]:
    """Return the keys of a list."""
    return frozenset(entries(text))


def holds_key(text: str) -> bool:
    """Return whether a list holds a key."""
    return bool(keys_of(text))


def has_forward_key(environment: Mapping[str, str]) -> bool:
    """Return whether a function has a forward key, in a variable or in a parameter."""
    parameter = environment.get("FORWARD_KEY_PARAMETER", "").strip()
    return bool(parameter) or holds_key(environment.get("FORWARD_KEY", ""))


def check_auth(environment: Mapping[str, str], host: str, *, has_own_keys: bool) -> None:
    """Reject settings that would accept every client; raises ConfigurationError.

    `environment` comes from `function_environment`.
    """
    url_auth = environment.get("FUNCTION_URL_AUTH", "")
    if url_auth not in URL_AUTH_MODES:
        raise ConfigurationError(f"FUNCTION_URL_AUTH must be aws_iam or none (got {url_auth!r}).")
    if url_auth == "none" and not has_forward_key(environment):
        raise ConfigurationError(
            "FUNCTION_URL_AUTH=none requires FORWARD_KEY: otherwise anyone can spend your budget. "
            "Set FORWARD_KEY, or use aws_iam."
        )
    websocket_auth = environment.get("WEBSOCKET_AUTH", "")
    _check_websocket_auth(websocket_auth, host)
    if "aws_iam" in (url_auth, websocket_auth) and not (has_own_keys or is_loopback(host)):
        raise ConfigurationError(
            f"Anyone who can reach {host} could sign with the well-known key pair local:local. "
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a pair of your own, or set "
            "FUNCTION_URL_AUTH=none and FORWARD_KEY, or listen on 127.0.0.1."
        )


def check_url_auth(function: FunctionSettings, host: str, *, has_own_keys: bool) -> None:
    """Check the authorizer of another service's function; raises ConfigurationError."""
    place = f"functions.{function.key}.url.authorizer"
    if function.url_auth not in URL_AUTH_MODES:
        raise ConfigurationError(f"{place} must be aws_iam or none (got {function.url_auth!r}).")
    if function.url_auth == "aws_iam" and not (has_own_keys or is_loopback(host)):
        raise ConfigurationError(
            f"{place}: aws_iam requires a key pair of your own to listen on {host}. Set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or listen on 127.0.0.1."
        )


def _check_websocket_auth(mode: str, host: str) -> None:
    if mode and mode not in WEBSOCKET_AUTH_MODES:
        raise ConfigurationError(
            f"WEBSOCKET_AUTH must be forward_key, aws_iam or none (got {mode!r})."
        )
    if mode == "none" and not is_loopback(host):
        raise ConfigurationError(
            f"WEBSOCKET_AUTH=none is allowed on loopback only (the host is {host}). "
            "Use forward_key or aws_iam, or listen on 127.0.0.1."
        )


def check_upstream(environment: Mapping[str, str], place: LocalPlace) -> None:
    """Reject an upstream that is this stack itself; raises ConfigurationError.

    OpenAI's SDKs read OPENAI_BASE_URL too, so that a shell may have it for them.
    """
    for name in _ADDRESSES:
        if any(place.has(url) for url in entries(environment.get(name, ""))):
            raise ConfigurationError(
                f"{name} is the address of this stack, which would ask itself without end. Unset "
                "it, or set it to the provider's address."
            )


def upstream_url(environment: Mapping[str, str]) -> str:
    """Return the upstream's URL to show, as the functions read it.

    Raises ConfigurationError, which does not quote the URL.
    """
    variable = "AZURE_OPENAI_ENDPOINT" if uses_azure(environment) else "OPENAI_BASE_URL"
    text = environment.get(variable, "").strip() or _DEFAULT_BASE_URL
    scheme, host, port = _parts(text)
    if scheme not in ("http", "https") or not host or port == 0:
        raise ConfigurationError(
            f"{variable} must start with http:// or https://, for example "
            "http://127.0.0.1:11434/v1, with a port of 1 to 65535 if it has one."
        )
    adds_version = variable == "OPENAI_BASE_URL" and not urlsplit(text).path
    return url_for_display(text) + ("/v1" if adds_version else "")


def url_for_display(url: str) -> str:
    """Return the URL without a user, a query, and parts of its path that may be keys."""
    scheme, host, port = _parts(url)
    host = f"[{host}]" if ":" in host else host
    path = urlsplit(url).path.rstrip("/") if host else ""
    return f"{scheme}://{host}" + (f":{port}" if port else "") + _MAY_BE_A_KEY.sub("…", path)


def unencrypted(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables that have keys and prompts sent over a network in clear text."""
    return tuple(
        name for name in _ADDRESSES if any(map(_is_unencrypted, entries(environment.get(name, ""))))
    )


def _is_unencrypted(url: str) -> bool:
    scheme, host, _ = _parts(url)
    return scheme == "http" and not is_loopback(host)


def uses_azure(environment: Mapping[str, str]) -> bool:
    """Return whether requests go to the endpoint of Azure."""
    mode = environment.get("AZURE_OPENAI_PROXY_MODE", "").strip()
    return bool(environment.get("AZURE_OPENAI_ENDPOINT", "").strip()) and mode != "openai"


def _parts(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port, all empty for an invalid URL."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    return "", "", None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
