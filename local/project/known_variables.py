"""Variables that users set: Sluice's own, and those of systems that they come from (no I/O).

`scripts` reads this table, too. docs/migrate.md says more about each system.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """Variables of another system, by names or regular expressions, and what to do instead.

    protects: it limits who may do what, so ignoring it would open the gateway. is_shared: other
    tools have such names, too; they count in `.env`, and those written in full also next to a name
    that only `system` has.
    """

    system: str
    names: str
    instead: str
    protects: bool = False
    is_shared: bool = False


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


OWN = _names(
    """
    OPENAI_API_KEY OPENAI_API_KEY_PARAMETER OPENAI_BASE_URL OPENAI_MODEL OPENAI_ROUTE_PREFIX
    FALLBACK_MODELS FORWARD_KEY FORWARD_KEY_PARAMETER FUNCTION_URL_AUTH WEBSOCKET_AUTH
    CORS_ALLOW_ORIGINS PROMPT_TEMPLATES ASCII_QUOTES LOG_CHAT LOG_CHAT_FILE REQ_RATE_LIMIT
    GLOBAL_RATE_LIMIT RATE_LIMIT_STRATEGY TOKEN_RATE_LIMIT IP_WHITELIST IP_BLACKLIST IAM_RECORDS
    MODEL_PRICES STORE_FAILURE CACHE_CHAT_COMPLETION CACHE_BACKEND CACHE_TTL CACHE_SCOPE
    UPSTREAM_CONNECT_TIMEOUT UPSTREAM_FIRST_BYTE_TIMEOUT UPSTREAM_READ_TIMEOUT
    UPSTREAM_RETRIES UPSTREAM_AUTH UPSTREAM_AWS_REGION UPSTREAM_AWS_SERVICE PASS_ACCOUNT_HEADERS
    PROXY UPSTREAM_TRANSPORT SSL_CERT_FILE REQUESTS_CA_BUNDLE AZURE_OPENAI_ENDPOINT
    AZURE_OPENAI_APIVERSION AZURE_OPENAI_MODEL_MAPPER AZURE_OPENAI_PROXY_MODE AZURE_OPENAI_TOKEN
    AZURE_OPENAI_TOKEN_PARAMETER EXTRA_BASE_URL EXTRA_ROUTE_PREFIX EXTRA_API_KEY
    EXTRA_API_KEY_PARAMETER API_GW_ENDPOINT STATE_TABLE CACHE_TABLE STATE_FILE BEDROCK_MODELS
    TRACING BUDGET_ALARM SPEND_ALARM TOKEN_ALARM FIRST_TOKEN_ALARM ALARM_TOPIC_ARN
    AZURE_OPENAI_PROXY_ADDRESS
    AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    RESERVED_CONCURRENCY WEBSOCKET_RATE WEBSOCKET_BURST
    """
)
"""The settings; a test compares them with the rows of sluice.settings."""

PROTECTING = _names(
    """
    FORWARD_KEY FORWARD_KEY_PARAMETER FUNCTION_URL_AUTH WEBSOCKET_AUTH CORS_ALLOW_ORIGINS
    PROMPT_TEMPLATES REQ_RATE_LIMIT GLOBAL_RATE_LIMIT RATE_LIMIT_STRATEGY TOKEN_RATE_LIMIT
    IP_WHITELIST IP_BLACKLIST IAM_RECORDS STORE_FAILURE RESERVED_CONCURRENCY WEBSOCKET_RATE
    WEBSOCKET_BURST
    """
)
"""Settings that limit who may do what: misspelled, they would leave the gateway open."""

NOT_MISSPELLED = _names(
    "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY SSL_CERT_FILE REQUESTS_CA_BUNDLE PROXY"
)
"""Settings that other tools have, too, with others of similar names."""

_KEYS = "Make keys with `npm run keys -- create`: --models, --rpm, --tpm and --budget limit each."
_CACHE = "Use CACHE_CHAT_COMPLETION=true, which caches embeddings and streams, too."
_LOG = "Set LOG_CHAT=true to log messages and answers."
_NOT_NEEDED = "Remove it: nothing here needs it."
_EXTRA = (
    "Name a further API with EXTRA_BASE_URL, EXTRA_ROUTE_PREFIX and EXTRA_API_KEY, or make it"
    " OPENAI_BASE_URL with OPENAI_API_KEY."
)
_STORE = "Keys and counts are in DynamoDB, locally in SQLite; remove it."

_FORWARD = "openai-forward"
_AZURE = "azure-openai-proxy"
_LITELLM = "LiteLLM"
_SDK = "OpenAI's SDK"

KNOWN = (
    Known(_FORWARD, "LEVEL_MODELS FORWARD_KEY_CONFIG", _KEYS, protects=True),
    Known(
        _FORWARD,
        "OPENAI_API_KEY_CONFIG",
        f"List the provider's keys in OPENAI_API_KEY. {_KEYS}",
        protects=True,
    ),
    Known(
        _FORWARD,
        "FORWARD_CONFIG",
        "Set OPENAI_BASE_URL and OPENAI_ROUTE_PREFIX for one API, EXTRA_BASE_URL and"
        " EXTRA_ROUTE_PREFIX for the others.",
    ),
    Known(_FORWARD, "ROUTE_RATE_LIMIT", "Use REQ_RATE_LIMIT.", protects=True),
    Known(_FORWARD, "RATE_LIMIT", "Use GLOBAL_RATE_LIMIT.", protects=True, is_shared=True),
    Known(
        _FORWARD, "REQ_RATE_LIMIT_BACKEND", "Requests are counted in the state store; remove it."
    ),
    Known(_FORWARD, "LOG_OPENAI LOG_GENERAL GENERAL_LOG PRINT_CHAT", _LOG),
    Known(_FORWARD, "OPENAI_LOG", _LOG, is_shared=True),
    Known(
        _FORWARD,
        "CACHE_OPENAI CACHE_GENERAL OPENAI_CACHE GENERAL_CACHE CACHE_ROUTES CACHE_EMBEDDING",
        _CACHE,
    ),
    Known(
        _FORWARD,
        "CACHE_ROOT_PATH_OR_URL",
        "Use CACHE_BACKEND. A cache on this machine is next to STATE_FILE.",
    ),
    Known(_FORWARD, "LOG_CACHE_DB_INFO", "Use `npm run cache -- stats`."),
    Known(
        _FORWARD,
        "DEFAULT_REQUEST_CACHING_VALUE",
        'Remove it: with CACHE_CHAT_COMPLETION=true, only a request with "caching": false is not'
        " cached.",
    ),
    Known(
        _FORWARD,
        "CHAT_COMPLETION_ROUTE COMPLETION_ROUTE EMBEDDING_ROUTE CUSTOM_GENERAL_ROUTE",
        "Paths of the API are known; OPENAI_ROUTE_PREFIX puts a prefix before them.",
    ),
    Known(
        _FORWARD,
        "BASE_URL_EXTRA GENERAL_BASE_URL",
        "Use EXTRA_BASE_URL.",
    ),
    Known(_FORWARD, "ROUTE_PREFIX_EXTRA GENERAL_ROUTE_PREFIX", "Use EXTRA_ROUTE_PREFIX."),
    Known(_FORWARD, "ROUTE_PREFIX", "Use OPENAI_ROUTE_PREFIX.", is_shared=True),
    Known(
        _FORWARD, "CUSTOM_MODEL_CONFIG", "FALLBACK_MODELS and AZURE_OPENAI_MODEL_MAPPER map models."
    ),
    Known(
        _FORWARD,
        "TIMEOUT",
        "Use UPSTREAM_CONNECT_TIMEOUT for connecting, UPSTREAM_FIRST_BYTE_TIMEOUT and"
        " UPSTREAM_READ_TIMEOUT for answers.",
        is_shared=True,
    ),
    Known(
        _FORWARD,
        "ITER_CHUNK_TYPE DEFAULT_STREAM_RESPONSE",
        "Remove it: a stream is passed on as it arrives.",
    ),
    Known(_FORWARD, "BENCHMARK_MODE", "Without OPENAI_API_KEY, `npm start` has a demo model."),
    Known(
        _FORWARD,
        "WEBUI_RESTART_PORT WEBUI_LOG_PORT OPENAI_FORWARD_WEBUI",
        "There is no web page for settings: docs/settings.md lists them.",
    ),
    Known(_FORWARD, "OPENAI_FORWARD_HOST", "Use AZURE_OPENAI_PROXY_ADDRESS=host:port."),
    Known(_FORWARD, "PASSWORD", _KEYS, protects=True, is_shared=True),
    Known(
        _FORWARD,
        "ssl_keyfile ssl_certfile",
        "Deployed, AWS has the certificates; remove it.",
        is_shared=True,
    ),
    Known(_FORWARD, "TZ", "Times in logs are in UTC; remove it.", is_shared=True),
    Known(_AZURE, "AZURE_OPENAI_API_VER", "Use AZURE_OPENAI_APIVERSION."),
    Known(
        _AZURE,
        "AZURE_OPENAI_HTTP_PROXY AZURE_OPENAI_SOCKS_PROXY",
        "Use PROXY; for SOCKS also UPSTREAM_TRANSPORT=requests.",
    ),
    Known(
        _AZURE,
        "LISTEN API_BASE CORS CONFIGFILE",
        "Use AZURE_OPENAI_PROXY_ADDRESS, OPENAI_ROUTE_PREFIX, CORS_ALLOW_ORIGINS and"
        " AZURE_OPENAI_MODEL_MAPPER.",
        is_shared=True,
    ),
    Known(
        _LITELLM,
        "LITELLM_MASTER_KEY",
        f"Use FORWARD_KEY for a key without limits. {_KEYS}",
        protects=True,
    ),
    Known(_LITELLM, "MASTER_KEY", f"Use FORWARD_KEY. {_KEYS}", protects=True, is_shared=True),
    Known(
        _LITELLM,
        "LITELLM_SALT_KEY",
        "No keys are stored that could be read; remove it.",
    ),
    Known(
        _LITELLM,
        "STORE_MODEL_IN_DB USE_PRISMA_MIGRATE DISABLE_SCHEMA_UPDATE DATABASE_URL_READ_REPLICA"
        " USE_V2_MIGRATION_RESOLVER PRISMA_.+ SPEND_LOGS?_.+ PROXY_BATCH_.+ PROXY_BUDGET_.+"
        " STORE_PROMPTS_IN_SPEND_LOGS",
        _STORE,
    ),
    Known(
        _LITELLM,
        "DATABASE_.+ DIRECT_URL REDIS_.+ VALKEY_.+ QDRANT_.+",
        _STORE,
        is_shared=True,
    ),
    Known(
        _LITELLM,
        "PROXY_ADMIN_ID PROXY_LOGOUT_URL PROXY_DEFAULT_TEAM_DISABLED DISABLE_ADMIN_UI"
        " AUTO_REDIRECT_UI_LOGIN_TO_SSO UI_LOGO_PATH(_DARK)? EXPERIMENTAL_UI_LOGIN",
        "There is no web page for administration: use `npm run keys` and `npm run usage`.",
    ),
    Known(
        _LITELLM,
        "UI_USERNAME UI_PASSWORD PROXY_BASE_URL SERVER_ROOT_PATH DOCS_URL DOCS_TITLE DOCS_FILTERED"
        " NO_DOCS NO_REDOC NO_OPENAPI REDOC_URL ROOT_REDIRECT_URL GENERIC_.+ MICROSOFT_.+ SAML_.+"
        " GOOGLE_CLIENT_.+ OPENID_.+ OAUTH_.+ JWT_.+ SMTP_.+ EMAIL_.+ SLACK_.+"
        " ALLOWED_EMAIL_DOMAINS",
        "There is no web page for administration: use `npm run keys` and `npm run usage`.",
        is_shared=True,
    ),
    Known(_LITELLM, "AZURE_API_KEY", "Use AZURE_OPENAI_TOKEN."),
    Known(_LITELLM, "AZURE_API_BASE", "Use AZURE_OPENAI_ENDPOINT."),
    Known(_LITELLM, "AZURE_API_VERSION", "Use AZURE_OPENAI_APIVERSION."),
    Known(_LITELLM, "AZURE_AD_TOKEN", "Use AZURE_OPENAI_TOKEN with an API key.", is_shared=True),
    Known(_LITELLM, "AWS_REGION_NAME", "Use UPSTREAM_AWS_REGION."),
    Known(_LITELLM, "AZURE_API_TYPE", _NOT_NEEDED, is_shared=True),
    Known(_LITELLM, "NUM_WORKERS", "Use `npm start -- --concurrency`.", is_shared=True),
    Known(_LITELLM, "PORT HOST", "Use AZURE_OPENAI_PROXY_ADDRESS=host:port.", is_shared=True),
    Known(_LITELLM, "REQUEST_TIMEOUT", "Use UPSTREAM_READ_TIMEOUT.", is_shared=True),
    Known(_LITELLM, "DEFAULT_MAX_RETRIES", "Use UPSTREAM_RETRIES.", is_shared=True),
    Known(_LITELLM, "ROUTER_MAX_FALLBACKS", "Use FALLBACK_MODELS."),
    Known(
        _LITELLM,
        "CONFIG_FILE_PATH WORKER_CONFIG",
        "There is no config.yaml: docs/settings.md lists the settings.",
        is_shared=True,
    ),
    Known(
        _LITELLM,
        "LITELLM_LOG LITELLM_API_KEY LITELLM_API_BASE",
        "docs/migrate.md says what replaces it.",
        is_shared=True,
    ),
    Known(_LITELLM, "LITELLM_.+", "docs/migrate.md says what replaces it."),
    Known(
        _LITELLM,
        "(MAX_)?BUDGET(_DURATION|_LIMIT)? (MAX_)?(RPM|TPM)(_LIMIT)? MAX_PARALLEL_REQUESTS",
        _KEYS,
        protects=True,
        is_shared=True,
    ),
    Known(
        _LITELLM,
        "DEFAULT_.+ MAX_.+ MIN(IMUM)?_.+ AIOHTTP_.+ APSCHEDULER_.+ JSON_LOGS SET_VERBOSE"
        " OTEL_.+ LANGFUSE_.+ LANGSMITH_.+ DD_.+ DATADOG_.+ PROMETHEUS_.+ SENTRY_DSN .+_MOCK"
        " HEALTH_CHECK_.+ SEPARATE_HEALTH_.+ ARIZE_.+ HELICONE_.+ PROXY_.+",
        _NOT_NEEDED,
        is_shared=True,
    ),
    Known("OpenAI's older SDK", "OPENAI_API_BASE", "Use OPENAI_BASE_URL."),
    Known(
        "OpenAI's older SDK",
        "OPENAI_API_TYPE OPENAI_API_VERSION",
        "Use AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_APIVERSION for Azure OpenAI.",
        is_shared=True,
    ),
    Known(_SDK, "AZURE_OPENAI_API_KEY AZURE_OPENAI_AD_TOKEN", "Use AZURE_OPENAI_TOKEN."),
    Known(
        _SDK,
        "OPENAI_ORG(ANIZATION)?(_ID)? OPENAI_PROJECT(_ID)?",
        "Clients may name it in a header, with PASS_ACCOUNT_HEADERS=true.",
        is_shared=True,
    ),
    Known("", "FORWARD_API_KEYS?", "Use FORWARD_KEY.", protects=True),
    Known(
        "",
        "(IP_|ALLOWED_)(ALLOW_?LIST|ALLOWED|IPS)",
        "Use IP_WHITELIST.",
        protects=True,
    ),
    Known(
        "",
        "(IP_|BLOCKED_|DENIED_)(DENY_?LIST|BLOCK_?LIST|BLOCKED|IPS)",
        "Use IP_BLACKLIST.",
        protects=True,
    ),
    Known(
        "",
        "RATE_LIMITS (API|REQUESTS?)_RATE_LIMITS? (MAX_)?REQUESTS_PER_MINUTE",
        "Use REQ_RATE_LIMIT or GLOBAL_RATE_LIMIT.",
        protects=True,
        is_shared=True,
    ),
    Known(
        "",
        "(IP_?)?WHITELIST(_IPS)? IPS?_WHITELIST",
        "Use IP_WHITELIST.",
        protects=True,
        is_shared=True,
    ),
    Known(
        "",
        "(IP_?)?BLACKLIST(_IPS)? IPS?_BLACKLIST",
        "Use IP_BLACKLIST.",
        protects=True,
        is_shared=True,
    ),
    Known("", "(CORS_)?ALLOWED_ORIGINS?", "Use CORS_ALLOW_ORIGINS.", is_shared=True),
    Known("", "OPENAI_(API_)?(URL|ENDPOINT)", "Use OPENAI_BASE_URL.", is_shared=True),
    Known("", "AZURE_OPENAI_KEY", "Use AZURE_OPENAI_TOKEN."),
    Known("", "AZURE_OPENAI_DEPLOYMENT(_NAME)?", "Use AZURE_OPENAI_MODEL_MAPPER.", is_shared=True),
    Known("", "OPENAI_PROXY", "Use PROXY.", is_shared=True),
    Known("", "UPSTREAM_TIMEOUT", "Use UPSTREAM_READ_TIMEOUT."),
    Known(_LITELLM, "[A-Z0-9_]+_API_(KEY|BASE|TOKEN) HF_TOKEN VERTEX.+", _EXTRA, is_shared=True),
)
"""The first entry that matches counts."""
