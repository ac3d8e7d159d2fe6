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


DEPLOYED, LOCAL, PACKAGING = "deployed only", "on one machine only", "at deployment only"


class Setting(Generic[ValueT_co]):
    """One environment variable; in Settings, the attribute that holds its value.

    default: as a user would write it. where: the only place where it counts, if there is one.
    is_secret: error messages never quote it, and it is never deployed as it is.
    """

    attribute = ""

    def __init__(
        self,
        name: str,
        parse: Callable[[str], ValueT_co],
        default: str,
        meaning: str,
        *,
        where: str = "",
        is_secret: bool = False,
    ) -> None:
        self.name, self.parse, self.default, self.meaning = name, parse, default, meaning
        self.where, self.is_secret = where, is_secret

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

    def __repr__(self) -> str:
        return f"KeySource(variable={self.variable!r}, parameter={self.parameter!r})"


class Settings:
    """The checked values, by attribute. Times are in seconds; `repr` shows no secret."""

    # fmt: off -- a row each
    openai_api_key = Setting(
        "OPENAI_API_KEY",
        values.keys,
        "",
        "The provider's API key. Several, separated by commas, are used in turn.",
        where=LOCAL,
        is_secret=True,
    )
    openai_api_key_parameter = Setting(
        "OPENAI_API_KEY_PARAMETER",
        values.parameter,
        "",
        "Name of the SSM SecureString that holds the provider's key. If it is missing, requests are"
        " refused. When deployed: `/sluice/{stage}/openai-api-key`.",
        where=DEPLOYED,
    )
    openai_base_url = Setting(
        "OPENAI_BASE_URL",
        values.base_url,
        "https://api.openai.com/v1",
        "Base URL of an OpenAI-compatible API. A host alone gets `/v1`.",
    )
    openai_model = Setting(
        "OPENAI_MODEL", values.any_text, "gpt-4o-mini", "Model for requests that name none."
    )
    openai_route_prefix = Setting(
        "OPENAI_ROUTE_PREFIX",
        values.prefix,
        "",
        "Serves the API below `PREFIX/v1` instead of `/v1`.",
    )
    upstream_auth = Setting(
        "UPSTREAM_AUTH",
        values.choice("", "bearer", "aws_sigv4"),
        "",
        "`bearer`, or `aws_sigv4` for Amazon Bedrock. Without it, the base URL's host decides.",
    )
    upstream_aws_region = Setting(
        "UPSTREAM_AWS_REGION",
        values.any_text,
        "",
        "Region to sign for. Without it: the base URL's, else the function's.",
    )
    upstream_aws_service = Setting(
        "UPSTREAM_AWS_SERVICE",
        values.any_text,
        "",
        "Service to sign for. Without it: the base URL's, else `bedrock`.",
    )
    azure_proxy_mode = Setting(
        "AZURE_OPENAI_PROXY_MODE",
        values.choice("", "azure", "openai"),
        "",
        "`azure` or `openai`. Without it: Azure if AZURE_OPENAI_ENDPOINT is set.",
    )
    azure_endpoint = Setting(
        "AZURE_OPENAI_ENDPOINT",
        values.http_url,
        "",
        "Azure OpenAI instead of OPENAI_BASE_URL: `https://NAME.openai.azure.com`.",
    )
    azure_api_version = Setting(
        "AZURE_OPENAI_APIVERSION",
        values.any_text,
        "",
        "Such as `2024-10-21`, or `v1`. Without it: `2023-03-15-preview`.",
    )
    azure_model_mapper = Setting(
        "AZURE_OPENAI_MODEL_MAPPER",
        values.deployments,
        "",
        "Deployment for each model: `model=deployment,…`.",
    )
    azure_token = Setting(
        "AZURE_OPENAI_TOKEN",
        values.keys,
        "",
        "Azure's key. Without it: OPENAI_API_KEY.",
        where=LOCAL,
        is_secret=True,
    )
    azure_token_parameter = Setting(
        "AZURE_OPENAI_TOKEN_PARAMETER",
        values.parameter,
        "",
        "Name of the SSM SecureString that holds Azure's key.",
        where=DEPLOYED,
    )
    extra_base_urls = Setting(
        "EXTRA_BASE_URL",
        values.base_urls,
        "",
        "Base URLs of further APIs, separated by commas. Only the Function URL serves them.",
    )
    extra_route_prefixes = Setting(
        "EXTRA_ROUTE_PREFIX", values.prefixes, "", "Prefix of each further API: `/name,…`."
    )
    extra_api_keys = Setting(
        "EXTRA_API_KEY",
        values.keys_by_entry,
        "",
        "Key of each further API; `-` for none.",
        where=LOCAL,
        is_secret=True,
    )
    extra_api_key_parameters = Setting(
        "EXTRA_API_KEY_PARAMETER",
        values.parameters_by_entry,
        "",
        "SSM SecureString of each further API; `-` for none.",
        where=DEPLOYED,
    )
    forward_key = Setting(
        "FORWARD_KEY",
        values.keys,
        "",
        "API keys that your clients present to Sluice, separated by commas.",
        where=LOCAL,
        is_secret=True,
    )
    forward_key_parameter = Setting(
        "FORWARD_KEY_PARAMETER",
        values.parameter,
        "",
        "Name of the SSM SecureString that holds the forward keys. When deployed:"
        " `/sluice/{stage}/forward-key`.",
        where=DEPLOYED,
    )
    function_url_auth = Setting(
        "FUNCTION_URL_AUTH",
        values.choice("aws_iam", "none"),
        "aws_iam",
        "`aws_iam`: requests are signed. `none`: clients present a forward key; refused without"
        " one.",
    )
    websocket_auth = Setting(
        "WEBSOCKET_AUTH",
        values.choice("forward_key", "aws_iam", "none"),
        "forward_key",
        "`forward_key`: in `Authorization: Bearer`, `?key=`, or the sub-protocol `bearer.KEY` next"
        " to another one. `aws_iam`: presigned URLs. `none`: only on loopback, where it is the"
        " default.",
    )
    prompt_template_patterns = Setting(
        "PROMPT_TEMPLATES",
        values.texts,
        "*_TEMPLATE,PROMPT_*",
        "Shell patterns of the variables that a request may use as its system prompt.",
    )
    cors_allow_origins = Setting(
        "CORS_ALLOW_ORIGINS",
        values.origins,
        "",
        "Origins whose pages may use the Function URL: `https://app.example.com,…`, or `*`.",
    )
    connect_timeout_s = Setting(
        "UPSTREAM_CONNECT_TIMEOUT", values.seconds, "5", "Seconds to connect to the provider."
    )
    first_byte_timeout_s = Setting(
        "UPSTREAM_FIRST_BYTE_TIMEOUT",
        values.seconds,
        "300",
        "Seconds until the first byte of an answer. Reasoning models think for minutes.",
    )
    read_timeout_s = Setting(
        "UPSTREAM_READ_TIMEOUT", values.seconds, "120", "Seconds that an answer may pause."
    )
    retries = Setting(
        "UPSTREAM_RETRIES",
        values.retries,
        "2",
        "How often a request is sent again before its first byte, for each model.",
    )
    fallback_models = Setting(
        "FALLBACK_MODELS",
        values.fallbacks,
        "",
        "Model to try after retries fail, for each model: `model=other,…`.",
    )
    proxy = Setting(
        "PROXY",
        values.proxy,
        "",
        "HTTP proxy on the way to the provider: `http://host:port`. A password in it can be read in"
        " the function's settings.",
    )
    ascii_quotes = Setting(
        "ASCII_QUOTES", values.switch, "false", "Straight quotation marks in text answers."
    )
    log_chat = Setting(
        "LOG_CHAT", values.switch, "false", "Writes messages and answers to the log."
    )
    api_gw_endpoint = Setting(
        "API_GW_ENDPOINT",
        values.http_url,
        "",
        "Endpoint of @connections. Without it: the one in the event.",
    )
    state_table = Setting(
        "STATE_TABLE",
        values.any_text,
        "",
        "DynamoDB table of connections and cancellations. serverless.yml sets it.",
        where=DEPLOYED,
    )
    state_file = Setting(
        "STATE_FILE",
        values.any_text,
        "",
        "SQLite file of connections and cancellations. The local stack sets"
        " `.state/sluice.sqlite3`.",
        where=LOCAL,
    )
    # fmt: on

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises SettingsError, which names the first variable that is wrong."""
        self.__dict__.update({row.attribute: row.read(environ) for row in FUNCTION_SETTINGS})
        self.__dict__["names_a_model"] = bool(environ.get("OPENAI_MODEL", "").strip())

    names_a_model: bool
    """Whether OPENAI_MODEL is set. Azure has no default model: a deployment must exist."""

    @property
    def openai_keys(self) -> KeySource:
        return KeySource("OPENAI_API_KEY", self.openai_api_key, self.openai_api_key_parameter)

    @property
    def azure_keys(self) -> KeySource:
        return KeySource("AZURE_OPENAI_TOKEN", self.azure_token, self.azure_token_parameter)

    @property
    def forward_keys(self) -> KeySource:
        return KeySource("FORWARD_KEY", self.forward_key, self.forward_key_parameter)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Settings are frozen: {name} cannot be set.")

    def __repr__(self) -> str:
        secret = {row.attribute for row in FUNCTION_SETTINGS if row.is_secret} | {"proxy"}
        shown = [f"{n}={'…' if n in secret and v else v!r}" for n, v in vars(self).items()]
        return f"Settings({', '.join(shown)})"


FUNCTION_SETTINGS = tuple(row for row in vars(Settings).values() if isinstance(row, Setting))
"""What functions read."""

# fmt: off -- a row each
OTHER_SETTINGS = (
    Setting(
        "AZURE_OPENAI_PROXY_ADDRESS",
        values.any_text,
        "",
        "Another `host:port` for the local stack to listen on, as azure-openai-proxy does.",
        where=LOCAL,
    ),
    Setting(
        "AWS_ACCESS_KEY_ID",
        values.any_text,
        "local",
        "The local stack checks signatures against this key pair.",
        where=LOCAL,
    ),
    Setting(
        "AWS_SECRET_ACCESS_KEY",
        values.any_text,
        "local",
        "The other half of the pair.",
        where=LOCAL,
        is_secret=True,
    ),
    Setting(
        "BEDROCK_MODELS",
        values.models,
        "",
        "Models that the functions' roles allow: names or ARNs, separated by commas.",
        where=PACKAGING,
    ),
    Setting("ALARM_TOPIC_ARN", values.topic, "", "SNS topic that alarms notify.", where=PACKAGING),
    Setting(
        "RESERVED_CONCURRENCY",
        values.concurrency,
        "none",
        "How many answers may run at once on each transport: a brake on costs.",
        where=PACKAGING,
    ),
)
# fmt: on
"""What the local stack or a deployment reads, and no function."""

ALL_SETTINGS: tuple[Setting[object], ...] = (*FUNCTION_SETTINGS, *OTHER_SETTINGS)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read and check every setting of a function. Raises SettingsError."""
    return Settings(environ)
