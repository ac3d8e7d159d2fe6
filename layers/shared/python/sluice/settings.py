"""The settings: one row each, read once from the environment, checked, frozen.

`npm run docs` makes docs/settings.md from these rows. Packaging checks by them what it deploys, and
tests compare serverless.yml and the local stack with them. A new setting is a new row.
"""

from __future__ import annotations

from sluice import setting_values as values
from sluice.errors import SettingsError
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Generic, NoReturn, TypeVar

    ValueT_co = TypeVar("ValueT_co", covariant=True)
else:
    ValueT_co = None

    class Generic:
        """typing.Generic without `typing`, which is slow to import."""

        def __class_getitem__(cls, _parameter: object) -> type:
            return cls


DEFAULT_MODEL = "gpt-6-luna"
"""The only place that names it; tests compare the pages and examples with it. A small model without
a shutdown date at https://developers.openai.com/api/docs/deprecations"""
BUILT_IN = "builtin"
"""The transport that is part of Sluice: http.transport."""
FUNCTIONS, LOCAL, DEPLOY = "functions", "local", "deploy"
"""Where a setting counts: in functions, on one machine alone, or at a deployment alone."""


class Setting(Generic[ValueT_co]):
    """One environment variable; in Settings, the attribute that holds its value.

    default: as a user would write it. unset: what counts without it, in words, where `default`
    does not say it. where: FUNCTIONS, LOCAL or DEPLOY. is_secret: error messages never quote it,
    and it is never deployed as it is.
    """

    attribute = ""

    def __init__(
        self,
        name: str,
        parse: Callable[[str], ValueT_co],
        default: str,
        meaning: str,
        *,
        unset: str = "",
        where: str = FUNCTIONS,
        is_secret: bool = False,
    ) -> None:
        self.name, self.parse, self.default, self.meaning = name, parse, default, meaning
        self.unset, self.where, self.is_secret = unset, where, is_secret

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute

    if TYPE_CHECKING:  # an instance's own attribute hides this one

        def __get__(self, instance: object, owner: type) -> ValueT_co: ...

    def read(self, environ: Mapping[str, str]) -> ValueT_co:
        """The value in `environ`, or the default's. Raises SettingsError."""
        text = environ.get(self.name, "").strip() or self.default
        try:
            return self.parse(text)
        except values.InvalidValue as error:
            got = "" if self.is_secret else error.got
            raise SettingsError(self.name, error.rule, got, error.hint) from None


class KeySource(NamedTuple):
    """Where keys come from: a plain variable, or the name of an SSM SecureString."""

    variable: str
    plain: tuple[str, ...] = ()
    parameter: str = ""
    parse: Callable[[str], tuple[str, ...]] = values.keys
    """Reads and checks what the parameter holds."""

    def __repr__(self) -> str:
        return f"KeySource(variable={self.variable!r}, parameter={self.parameter!r})"


class Settings:
    """The checked values, by attribute. Times are in seconds; `repr` shows no secret."""

    # One row each, in the order of docs/settings.md.
    # fmt: off
    openai_api_key = Setting("OPENAI_API_KEY", values.keys, "",
        "API keys of the provider, used in turn.", where=LOCAL, is_secret=True)
    openai_api_key_parameter = Setting("OPENAI_API_KEY_PARAMETER", values.parameter, "",
        "Name of the SSM SecureString that holds `OPENAI_API_KEY`.",
        unset="`/sluice/{stage}/openai-api-key`")
    openai_base_url = Setting("OPENAI_BASE_URL", values.base_url, "https://api.openai.com/v1",
        "Base URL of an OpenAI-compatible API. A host without a path gets `/v1`; with a slash at"
        " its end, `https://host/`, it does not.")
    openai_model = Setting("OPENAI_MODEL", values.any_text, DEFAULT_MODEL,
        "Model for requests that name none.")
    openai_route_prefix = Setting("OPENAI_ROUTE_PREFIX", values.prefix, "",
        "Prefix of the API's path on the Function URL: the API is at `PREFIX/v1`.")
    fallback_models = Setting("FALLBACK_MODELS", values.fallbacks, "",
        "Models to try after retries fail: `model=other,…`.")
    forward_key = Setting("FORWARD_KEY", values.forward_keys, "",
        "API keys that your clients present to Sluice, each of 16 characters or more, no spaces.",
        where=LOCAL, is_secret=True)
    forward_key_parameter = Setting("FORWARD_KEY_PARAMETER", values.parameter, "",
        "Name of the SSM SecureString that holds `FORWARD_KEY`.",
        unset="`/sluice/{stage}/forward-key`")
    function_url_auth = Setting("FUNCTION_URL_AUTH", values.choice("aws_iam", "none"), "aws_iam",
        "Who may call the Function URL. `aws_iam`: signed requests. `none`: requests with a"
        " forward key; rejected if there is no such key.")
    websocket_auth = Setting("WEBSOCKET_AUTH",
        values.choice("forward_key", "aws_iam", "none"), "forward_key",
        "Who may connect to the WebSocket. `forward_key`: clients with a forward key in"
        " `Authorization: Bearer`, in `?key=`, or as the sub-protocol `bearer.KEY` next to a"
        " real one. `aws_iam`: presigned URLs. `none`: everyone on this machine; local only.",
        unset="`forward_key`; locally `none`")
    cors_allow_origins = Setting("CORS_ALLOW_ORIGINS", values.origins, "",
        "Origins whose pages may call the Function URL: `https://app.example,…` or `*`.")
    prompt_template_patterns = Setting("PROMPT_TEMPLATES", values.texts, "*_TEMPLATE,PROMPT_*",
        "Shell patterns for the variables that a request may name as `prompt_template`. A"
        " variable whose name looks like a secret's is always rejected.")
    ascii_quotes = Setting("ASCII_QUOTES", values.switch, "false",
        "`true`: straight quotation marks in text answers.")
    log_chat = Setting("LOG_CHAT", values.switch, "false",
        "`true`: messages and answers in the log; see [the chat log](chat-log.md).")
    log_chat_file = Setting("LOG_CHAT_FILE", values.any_text, "",
        "File that has them, too, on one machine with `LOG_CHAT=true`.",
        unset="`.state/chat.jsonl`", where=LOCAL)
    request_rates = Setting("REQ_RATE_LIMIT", values.route_rates, "",
        "Maximum rate of each principal's requests, by route prefix:"
        ' `{"/v1/chat/completions": "100/2minutes;600/hour"}`.')
    other_rates = Setting("GLOBAL_RATE_LIMIT", values.rates, "",
        "The same for all other routes together: `60/minute`; `inf` for no limit.")
    rate_limit_strategy = Setting("RATE_LIMIT_STRATEGY",
        values.choice("fixed-window", "fixed-window-elastic-expiry", "moving-window"),
        "fixed-window",
        "How windows of such a rate begin and end. `fixed-window`: by the clock."
        " `fixed-window-elastic-expiry`: each request extends it. `moving-window`: at any time.")
    event_rates = Setting("TOKEN_RATE_LIMIT", values.route_rates, "",
        "Maximum pace of a stream's events to one client, by route prefix:"
        ' `{"/v1/chat/completions": "60/second"}`.')
    ip_whitelist = Setting("IP_WHITELIST", values.networks, "",
        "Addresses and networks that may use the gateway; without it, all may.")
    ip_blacklist = Setting("IP_BLACKLIST", values.networks, "",
        "Addresses and networks that may not.")
    iam_records = Setting("IAM_RECORDS", values.switch, "false",
        "`true`: whoever signs requests needs a record, made with `--principal`.")
    model_prices = Setting("MODEL_PRICES", values.model_prices, "",
        "Prices in USD per million tokens, over those of the built-in list:"
        ' `{"my-model": {"input": 0.5, "cached_input": 0.1, "output": 2}}`.')
    store_failure = Setting("STORE_FAILURE", values.choice("count_later", "refuse"), "count_later",
        "What happens to requests that cannot be counted while the state store fails."
        " `count_later`: those with a record are refused, the others pass. `refuse`: all are"
        " refused.")
    cache_chat_completion = Setting("CACHE_CHAT_COMPLETION", values.switch, "false",
        "`true`: answers of chat completions, completions and embeddings are kept, and given to"
        " equal requests; see [cache](cache.md).")
    cache_backend = Setting("CACHE_BACKEND", values.cache_backend, "",
        "Where they are kept: `SQLITE` or `LMDB` on one machine, `DYNAMODB` in a deployment,"
        " `MEMORY` in each execution environment.", unset="`DYNAMODB`; locally `SQLITE`")
    cache_ttl_s = Setting("CACHE_TTL", values.cache_ttl, "86400",
        "Seconds that an answer is kept.")
    cache_scope = Setting("CACHE_SCOPE", values.choice("principal", "all"), "principal",
        "Who gets a kept answer. `principal`: only who asked for it first. `all`: everyone.")
    connect_timeout_s = Setting("UPSTREAM_CONNECT_TIMEOUT", values.seconds, "5",
        "Seconds for connecting to the provider, TLS included.")
    first_byte_timeout_s = Setting("UPSTREAM_FIRST_BYTE_TIMEOUT", values.seconds, "300",
        "Seconds until the first byte of an answer.")
    read_timeout_s = Setting("UPSTREAM_READ_TIMEOUT", values.seconds, "120",
        "Seconds that an answer may pause, and the provider's reading of a request.")
    retries = Setting("UPSTREAM_RETRIES", values.retries, "2",
        "Retries per model, before the first byte only; at most 10.")
    upstream_auth = Setting("UPSTREAM_AUTH", values.choice("", "bearer", "aws_sigv4"), "",
        "How requests to the provider are authenticated: `bearer`, or `aws_sigv4` for Amazon"
        " Bedrock.", unset="by the host")
    upstream_aws_region = Setting("UPSTREAM_AWS_REGION", values.any_text, "",
        "Region to sign for, with `aws_sigv4`.", unset="from the host")
    upstream_aws_service = Setting("UPSTREAM_AWS_SERVICE", values.any_text, "",
        "Service to sign for, with `aws_sigv4`.", unset="from the host")
    pass_account_headers = Setting("PASS_ACCOUNT_HEADERS", values.switch, "false",
        "`true`: clients may choose the provider's account that pays, by `OpenAI-Organization`,"
        " `OpenAI-Project` and `x-goog-user-project`.")
    proxy = Setting("PROXY", values.proxy, "",
        "Proxy between Sluice and the provider: `http://host:port`; with"
        " `UPSTREAM_TRANSPORT=requests` also `https://` and `socks5h://`.")
    upstream_transport = Setting("UPSTREAM_TRANSPORT",
        values.choice(BUILT_IN, "requests"), BUILT_IN,
        "HTTP client for the provider. `requests` is slower to start, and adds https and SOCKS"
        " proxies, `HTTPS_PROXY` and `NO_PROXY`.")
    ssl_cert_file = Setting("SSL_CERT_FILE", values.any_text, "",
        "PEM file of certificate authorities to trust next to the public ones, or a folder of"
        " them. To deploy one, see [protocols.md](protocols.md#upstream-requests).", where=LOCAL)
    requests_ca_bundle = Setting("REQUESTS_CA_BUNDLE", values.any_text, "",
        "The same; replaces `SSL_CERT_FILE`.", where=LOCAL)
    azure_endpoint = Setting("AZURE_OPENAI_ENDPOINT", values.http_url, "",
        "Endpoint of Azure OpenAI; replaces `OPENAI_BASE_URL`.")
    azure_api_version = Setting("AZURE_OPENAI_APIVERSION", values.any_text, "",
        "API version; `v1` selects the newer API, without deployments in its paths.",
        unset="`2023-03-15-preview`")
    azure_model_mapper = Setting("AZURE_OPENAI_MODEL_MAPPER", values.deployments, "",
        "Deployment of each model: `model=deployment,…`.")
    azure_proxy_mode = Setting("AZURE_OPENAI_PROXY_MODE", values.choice("", "azure", "openai"), "",
        "`openai` ignores the endpoint.", unset="`azure` if there is an endpoint")
    azure_token = Setting("AZURE_OPENAI_TOKEN", values.keys, "",
        "API keys of Azure OpenAI, used in turn.",
        unset="`OPENAI_API_KEY`", where=LOCAL, is_secret=True)
    azure_token_parameter = Setting("AZURE_OPENAI_TOKEN_PARAMETER", values.parameter, "",
        "Name of the SSM SecureString that holds `AZURE_OPENAI_TOKEN`.")
    extra_base_urls = Setting("EXTRA_BASE_URL", values.base_urls, "",
        "Base URLs of further APIs.")
    extra_route_prefixes = Setting("EXTRA_ROUTE_PREFIX", values.prefixes, "",
        "Path prefix of each further API, such as `/example`.")
    extra_api_keys = Setting("EXTRA_API_KEY", values.keys_by_entry, "",
        "Key of each further API; `-` for none.", where=LOCAL, is_secret=True)
    extra_api_key_parameters = Setting("EXTRA_API_KEY_PARAMETER", values.parameters_by_entry, "",
        "Name of each SSM SecureString that holds such a key; `-` for none.")
    api_gw_endpoint = Setting("API_GW_ENDPOINT", values.http_url, "",
        "Endpoint of `@connections`. `npm start` uses one of this machine only.",
        unset="from the event")
    state_table = Setting("STATE_TABLE", values.any_text, "",
        "DynamoDB table of connections, records and counts; set by `serverless.yml`.",
        unset="`sluice-{stage}-state`")
    cache_table = Setting("CACHE_TABLE", values.any_text, "",
        "DynamoDB table of kept answers; set by `serverless.yml`.",
        unset="`sluice-{stage}-cache`")
    state_file = Setting("STATE_FILE", values.any_text, "",
        "SQLite file that replaces the tables on one machine.",
        unset="`.state/sluice.sqlite3`", where=LOCAL)
    # fmt: on

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises SettingsError, which names the first variable that is wrong."""
        self.__dict__.update({row.attribute: row.read(environ) for row in FUNCTION_SETTINGS})
        self.__dict__["names_a_model"] = bool(environ.get("OPENAI_MODEL", "").strip())
        if not self.cache_backend:
            self.__dict__["cache_backend"] = self._usual_cache_backend()
        self._check_cache_backend()
        scheme = self.proxy.partition("://")[0]
        if self.upstream_transport == BUILT_IN and scheme not in ("", "http"):
            hint = "Use UPSTREAM_TRANSPORT=requests for SOCKS and https proxies."
            raise SettingsError("PROXY", "must start with http://", f"{scheme}://", hint)

    names_a_model: bool
    """Whether OPENAI_MODEL is set. Azure has no default model: a deployment must exist."""

    def _usual_cache_backend(self) -> str:
        if self.state_file:
            return "SQLITE"
        return "DYNAMODB" if self.state_table else "MEMORY"

    def _check_cache_backend(self) -> None:
        """Before a deployment neither STATE_FILE nor STATE_TABLE is known."""
        if not self.cache_chat_completion:
            return
        got = self.cache_backend
        if got in ("SQLITE", "LMDB") and not self.state_file:
            hint = "A function's disk is its own: its files are not shared."
            raise SettingsError("CACHE_BACKEND", "must be DYNAMODB or MEMORY here", got, hint)
        if got == "DYNAMODB" and self.state_file:
            raise SettingsError("CACHE_BACKEND", "must be SQLITE, LMDB or MEMORY here", got)
        if got == "LMDB":
            from importlib.util import find_spec  # noqa: PLC0415 -- few use it, locally only

            if find_spec("lmdb") is None:
                hint = "Install it with `.venv/bin/pip install lmdb`, or use SQLITE."
                raise SettingsError("CACHE_BACKEND", "needs the Python package lmdb", got, hint)

    @property
    def trusted_certificates(self) -> str | None:
        """The PEM file or folder of further certificate authorities, if there is one."""
        return self.requests_ca_bundle or self.ssl_cert_file or None

    @property
    def openai_keys(self) -> KeySource:
        return KeySource("OPENAI_API_KEY", self.openai_api_key, self.openai_api_key_parameter)

    @property
    def azure_keys(self) -> KeySource:
        return KeySource("AZURE_OPENAI_TOKEN", self.azure_token, self.azure_token_parameter)

    @property
    def forward_keys(self) -> KeySource:
        named = self.forward_key_parameter
        return KeySource("FORWARD_KEY", self.forward_key, named, values.forward_keys)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Settings are frozen: {name} cannot be set.")

    def __repr__(self) -> str:
        secret = {row.attribute for row in FUNCTION_SETTINGS if row.is_secret} | {"proxy"}
        shown = [f"{n}={'…' if n in secret and v else v!r}" for n, v in vars(self).items()]
        return f"Settings({', '.join(shown)})"


FUNCTION_SETTINGS = tuple(row for row in vars(Settings).values() if isinstance(row, Setting))
"""Settings that functions read."""

# fmt: off
OTHER_SETTINGS = (
    Setting("BEDROCK_MODELS", values.models, "",
        "Bedrock models that the functions may call: names or ARNs.", where=DEPLOY),
    Setting("AZURE_OPENAI_PROXY_ADDRESS", values.any_text, "",
        "`host:port` of the local Function URL.", unset="`127.0.0.1:3000`", where=LOCAL),
    Setting("AWS_ACCESS_KEY_ID", values.any_text, "local",
        "Access key that local signatures are checked against; deployed, Lambda sets it.",
        where=LOCAL),
    Setting("AWS_SECRET_ACCESS_KEY", values.any_text, "local",
        "Key of that access key.", where=LOCAL, is_secret=True),
    Setting("ALARM_TOPIC_ARN", values.topic, "",
        "SNS topic that alarms notify.", where=DEPLOY),
    Setting("BUDGET_ALARM", values.switch, "false",
        "`true`: an alarm when the budget of a key is spent.", where=DEPLOY),
    Setting("SPEND_ALARM", values.amount("USD"), "none",
        "USD an hour; an alarm when answers cost more.", where=DEPLOY),
    Setting("TOKEN_ALARM", values.amount("tokens"), "none",
        "Tokens an hour; an alarm when prompts and answers have more.", where=DEPLOY),
    Setting("FIRST_TOKEN_ALARM", values.amount("seconds"), "none",
        "Seconds; an alarm when 5 % of the answers of ten minutes begin later.", where=DEPLOY),
    Setting("TRACING", values.switch, "false",
        "`true`: X-Ray traces; see [tracing](tracing.md).", where=DEPLOY),
    Setting("RESERVED_CONCURRENCY", values.concurrency, "none",
        "Maximum number of answers at the same time, per transport. WebSocket clients that connect"
        " get as many places, at most 40.", where=DEPLOY),
    Setting("WEBSOCKET_RATE", values.whole_number, "50",
        "Maximum number of clients that connect, and of messages on each route, per second. API"
        " Gateway answers 429 above it.", where=DEPLOY),
    Setting("WEBSOCKET_BURST", values.whole_number, "100",
        "How many of them may come at once.", where=DEPLOY),
)
# fmt: on
"""Settings that only the local stack or a deployment reads."""

ALL_SETTINGS: tuple[Setting[object], ...] = (*FUNCTION_SETTINGS, *OTHER_SETTINGS)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read and check every setting of a function. Raises SettingsError."""
    return Settings(environ)
