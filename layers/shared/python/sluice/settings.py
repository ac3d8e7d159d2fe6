"""The settings of a deployment: read once from the environment, checked, frozen."""

from __future__ import annotations

import re

from sluice.errors import SettingsError
from sluice.http.urls import split_url
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TIMEOUT_S = 3600  # four times what a function may run
KEY = re.compile(r"[!#-\[\]-~]+")  # RFC 9110's visible characters, less those JSON escapes
PARAMETER_NAME = r"(?a)/[\w./-]+"  # AWS Systems Manager's, from the root
ORIGIN = r"(https?|[a-z-]+-extension|capacitor|ionic)://[\w.:\[\]-]+|null"
DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-4o-mini"
DEFAULT_PROMPT_TEMPLATES = "*_TEMPLATE,PROMPT_*"
DEFAULT_CONNECT_TIMEOUT_S = 5.0  # a TCP and TLS handshake takes well under 1 s where it works
DEFAULT_FIRST_BYTE_TIMEOUT_S = 300.0  # reasoning models think for minutes before they say a word
DEFAULT_READ_TIMEOUT_S = 120.0  # and pause for a minute and more in the middle
DEFAULT_RETRIES = 2  # as OpenAI's own clients
MAX_RETRIES = 10


class KeySource(NamedTuple):
    """Where keys come from: a plain variable, or the name of an SSM SecureString."""

    variable: str
    plain: tuple[str, ...] = ()
    parameter: str = ""

    def __repr__(self) -> str:
        return f"KeySource(variable={self.variable!r}, parameter={self.parameter!r})"


class Settings(NamedTuple):
    """Times are in seconds. Secrets stay out of `repr`."""

    openai_keys: KeySource
    forward_keys: KeySource
    openai_base_url: str
    """Without a slash at the end: `{openai_base_url}/chat/completions`."""
    openai_model: str
    prompt_template_patterns: tuple[str, ...]
    api_gw_endpoint: str | None
    proxy: str | None
    function_url_auth: str
    websocket_auth: str
    connect_timeout_s: float
    first_byte_timeout_s: float
    read_timeout_s: float
    """For how long an upstream may be silent between two pieces of its answer."""
    retries: int
    """How often a request is sent again before its first byte, to each model."""
    fallback_models: Mapping[str, str]
    """Whom to ask instead, by whom it was not to be had from."""
    cors_allow_origins: tuple[str, ...]
    state_table: str
    """The DynamoDB table of connections and cancellations; empty where there is none."""
    state_file: str
    """The SQLite file that takes its place on one machine; empty where there is none."""
    ascii_quotes: bool
    log_chat: bool

    def __repr__(self) -> str:
        shown = {**self._asdict(), "proxy": "…" if self.proxy else None}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read and check every setting. Raises SettingsError naming the first that is wrong."""
    return Settings(
        openai_keys=key_source(environ, "OPENAI_API_KEY"),
        forward_keys=key_source(environ, "FORWARD_KEY"),
        openai_base_url=_base_url(environ),
        openai_model=_text(environ, "OPENAI_MODEL") or DEFAULT_MODEL,
        prompt_template_patterns=_list(environ, "PROMPT_TEMPLATES", DEFAULT_PROMPT_TEMPLATES),
        api_gw_endpoint=http_url("API_GW_ENDPOINT", _text(environ, "API_GW_ENDPOINT")),
        proxy=_proxy(environ),
        function_url_auth=_choice(environ, "FUNCTION_URL_AUTH", ("aws_iam", "none")),
        websocket_auth=_choice(environ, "WEBSOCKET_AUTH", ("forward_key", "aws_iam", "none")),
        connect_timeout_s=_seconds(environ, "UPSTREAM_CONNECT_TIMEOUT", DEFAULT_CONNECT_TIMEOUT_S),
        first_byte_timeout_s=_seconds(
            environ, "UPSTREAM_FIRST_BYTE_TIMEOUT", DEFAULT_FIRST_BYTE_TIMEOUT_S
        ),
        read_timeout_s=_seconds(environ, "UPSTREAM_READ_TIMEOUT", DEFAULT_READ_TIMEOUT_S),
        retries=_retries(environ),
        fallback_models=_pairs(environ, "FALLBACK_MODELS"),
        cors_allow_origins=_origins(environ),
        state_table=_text(environ, "STATE_TABLE"),
        state_file=_text(environ, "STATE_FILE"),
        ascii_quotes=_switch(environ, "ASCII_QUOTES"),
        log_chat=_switch(environ, "LOG_CHAT"),
    )


def read_keys(text: str, variable: str) -> tuple[str, ...]:
    """The keys of a comma-separated value. Raises SettingsError, which does not quote them."""
    keys = _split(text)
    if not all(KEY.fullmatch(key) for key in keys):
        raise SettingsError(variable, "letters, digits and signs without blanks", "something else")
    return keys


def key_source(environ: Mapping[str, str], variable: str) -> KeySource:
    """The keys of `variable`, or the parameter that `variable`_PARAMETER names for them."""
    named = f"{variable}_PARAMETER"
    parameter = _text(environ, named)
    if parameter and not re.fullmatch(PARAMETER_NAME, parameter):
        # Not quoted: it may well be the key itself, put into the wrong variable.
        raise SettingsError(named, "the name of an SSM parameter, /such/as/this", "something else")
    return KeySource(variable, read_keys(_text(environ, variable), variable), parameter)


def _base_url(environ: Mapping[str, str]) -> str:
    url = http_url("OPENAI_BASE_URL", _text(environ, "OPENAI_BASE_URL")) or DEFAULT_BASE_URL
    # "https://api.openai.com" is what users of openai-forward write; its API is below /v1.
    return url if split_url(url).path else f"{url}/v1"


def http_url(variable: str, text: str) -> str | None:
    """The URL of a variable without a slash at its end, or None where it is empty."""
    text = text.strip().rstrip("/")
    if not text:
        return None
    try:
        parts = split_url(text)
    except ValueError:
        parts = None
    if parts is None or parts.query:
        raise SettingsError(variable, "http:// or https://, a host, maybe a path", "another text")
    if parts.userinfo is not None and variable != "PROXY":
        # It would take the place of the key in the Authorization header.
        raise SettingsError(variable, "a URL without a user name and password", "one with them")
    return text


def _proxy(environ: Mapping[str, str]) -> str | None:
    url = http_url("PROXY", _text(environ, "PROXY"))
    if url is not None and not url.startswith("http://"):
        # TLS to the upstream goes through it unread; TLS to the proxy itself is not spoken.
        raise SettingsError("PROXY", "http://host:port", "https://")
    return url


def _choice(environ: Mapping[str, str], variable: str, choices: tuple[str, ...]) -> str:
    """One of the choices; the first is the default."""
    value = _text(environ, variable) or choices[0]
    if value not in choices:
        raise SettingsError(variable, " or ".join(choices), repr(value))
    return value


def _switch(environ: Mapping[str, str], variable: str) -> bool:
    """Off unless it is switched on."""
    value = _text(environ, variable).lower() or "false"
    if value not in ("true", "false"):
        raise SettingsError(variable, "true or false", repr(value))
    return value == "true"


def _seconds(environ: Mapping[str, str], variable: str, default: float) -> float:
    text = _text(environ, variable)
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise SettingsError(variable, f"seconds, above 0 and up to {MAX_TIMEOUT_S}", repr(text))
    return seconds


def _retries(environ: Mapping[str, str]) -> int:
    text = _text(environ, "UPSTREAM_RETRIES") or str(DEFAULT_RETRIES)
    if not (text.isdecimal() and int(text) <= MAX_RETRIES):
        raise SettingsError("UPSTREAM_RETRIES", f"a whole number up to {MAX_RETRIES}", repr(text))
    return int(text)


def _pairs(environ: Mapping[str, str], variable: str) -> Mapping[str, str]:
    """model=other,…"""
    pairs = [entry.partition("=") for entry in _list(environ, variable, "")]
    for name, _, other in pairs:
        if not (name.strip() and other.strip()):
            raise SettingsError(variable, "model=other,model=other", "an entry of another form")
    named = {name.strip(): other.strip() for name, _, other in pairs}
    if len(named) < len(pairs):
        raise SettingsError(variable, "one other for each model", "a model that is named twice")
    return named


def _origins(environ: Mapping[str, str]) -> tuple[str, ...]:
    origins = tuple(each.rstrip("/").lower() for each in _list(environ, "CORS_ALLOW_ORIGINS", ""))
    if not all(each == "*" or re.fullmatch(ORIGIN, each) for each in origins):
        expected = "* or https://host, as browsers write their origin"
        raise SettingsError("CORS_ALLOW_ORIGINS", expected, "another text")
    return origins


def _list(environ: Mapping[str, str], variable: str, default: str) -> tuple[str, ...]:
    return _split(_text(environ, variable) or default)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in text.split(",")) if part)


def _text(environ: Mapping[str, str], variable: str) -> str:
    return environ.get(variable, "").strip()
