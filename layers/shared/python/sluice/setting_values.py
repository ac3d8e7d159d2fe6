"""The values that settings may have: each parser checks a text and returns what it means. No I/O.

A parser raises InvalidValue, whose sentence goes on from "NAME must".
"""

from __future__ import annotations

import re

from sluice.errors import InvalidValue as InvalidValue  # noqa: PLC0414 -- for others to import
from sluice.http.urls import split_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Network, IPv6Network
    from types import ModuleType

    from sluice.limit_values import Rate, RouteRates

MAX_TIMEOUT_S = 3600  # four times the longest a function may run
MAX_RETRIES = 10
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
NO_KEY = "-"
"""In a list with one entry for each API: this API needs no key."""
CACHE_BACKENDS = ("SQLITE", "DYNAMODB", "MEMORY", "LMDB")
ONE_PROCESS_BACKENDS = ("LEVELDB", "ROCKSDB")
"""Caches of openai-forward that the functions, each a process, cannot share."""
MAX_CACHE_TTL_S = 366 * 24 * 3600  # a year: models do not last much longer
MIN_SECRET_CHARACTERS = 16
"""Minimum length of a key that is a secret. Others can be guessed, and they are words of ordinary
text, such as EMPTY and ollama, which answers keep."""
# As text: `re` compiles a pattern at its first use, and most settings are not set.
KEY = r"[!#-\[\]-~]+"  # RFC 9110's visible characters, without those that JSON escapes
NUMBER = r"[0-9eE+.:\[\]{}-]+"  # in JSON outside a text, where no mask may stand
PARAMETER_NAME = r"(?a)/[\w./-]+"  # the full name of an SSM parameter
ORIGIN = r"(https?|[a-z-]+-extension|capacitor|ionic)://[\w.:\[\]-]+|null"
PREFIX = r"(?a)(?:/(?!\.)[\w.~-]+)+"
DEPLOYMENT = r"(?a)(?!\.+$)[\w.-]{1,64}"  # Azure's rule: up to 64 characters
MODEL = r"(?a)[\w.:/-]+"  # a name or an ARN; a star would allow more than was meant
TOPIC = r"(?a)arn:[\w-]+:sns:[\w-]+:\d{12}:[\w.-]+"
FURTHER = "Further APIs: EXTRA_BASE_URL, EXTRA_ROUTE_PREFIX and EXTRA_API_KEY."
ANY_URL = "must start with http:// or https://, for example http://127.0.0.1:11434/v1"


def any_text(text: str) -> str:
    return text


def choice(*choices: str) -> Callable[[str], str]:
    """One of `choices`; an empty one stands for "not set"."""

    def parse(text: str) -> str:
        if text not in choices:
            raise InvalidValue(f"must be {' or '.join(filter(None, choices))}", repr(text))
        return text

    return parse


def switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidValue("must be true or false", repr(text))
    return text.lower() == "true"


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_TIMEOUT_S:
        rule = f"must be a number of seconds, more than 0 and at most {MAX_TIMEOUT_S}"
        raise InvalidValue(rule, repr(text))
    return value


def retries(text: str) -> int:
    if not (text.isdecimal() and int(text) <= MAX_RETRIES):
        raise InvalidValue(f"must be a whole number from 0 to {MAX_RETRIES}", repr(text))
    return int(text)


def concurrency(text: str) -> str:
    if text != "none" and not re.fullmatch(r"[1-9][0-9]*", text):
        raise InvalidValue("must be none or a whole number of answers at once", repr(text))
    return text


def amount(unit: str) -> Callable[[str], str]:
    """Return a parser of none, or of a number of `unit`."""

    def parse(text: str) -> str:
        if text != "none" and not (re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) and float(text) > 0):
            raise InvalidValue(f"must be none or {unit}, more than 0", repr(text))
        return text

    return parse


def whole_number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]*", text):
        raise InvalidValue("must be a whole number, at least 1", repr(text))
    return int(text)


def cache_backend(text: str) -> str:
    """One of CACHE_BACKENDS, or an empty text."""
    name = text.upper()
    if name and name not in CACHE_BACKENDS:
        rule = f"must be {' or '.join(CACHE_BACKENDS)}"
        hint = (
            f"Only one process may open {name}, and each function is one."
            " Use SQLITE on one machine, DYNAMODB in a deployment."
        )
        raise InvalidValue(rule, repr(text), hint if name in ONE_PROCESS_BACKENDS else "")
    return name


def cache_ttl(text: str) -> int:
    """Whole seconds."""
    if not (re.fullmatch(r"[1-9][0-9]{0,8}", text) and int(text) <= MAX_CACHE_TTL_S):
        rule = f"must be a whole number of seconds, from 1 to {MAX_CACHE_TTL_S}"
        raise InvalidValue(rule, repr(text))
    return int(text)


def texts(text: str) -> tuple[str, ...]:
    """The entries between commas; empty ones do not count."""
    return tuple(part for part in entries(text) if part)


def entries(text: str) -> tuple[str, ...]:
    """The entries between commas, or of a JSON array; an empty one keeps its place."""
    if text.startswith("["):
        return _json_entries(text)
    return tuple(part.strip() for part in text.split(",")) if text else ()


def keys(text: str) -> tuple[str, ...]:
    found = texts(text)
    if not all(re.fullmatch(KEY, key) for key in found):
        raise InvalidValue("must be a comma-separated list of keys: ASCII, without spaces")
    if any(len(key) >= MIN_SECRET_CHARACTERS and re.fullmatch(NUMBER, key) for key in found):
        raise InvalidValue("must hold no number: it cannot be masked in JSON")
    return found


def forward_keys(text: str) -> tuple[str, ...]:
    """Keys that clients present: secrets, although their owner may choose them."""
    found = keys(text)
    if any(len(key) < MIN_SECRET_CHARACTERS for key in found):
        rule = f"must hold keys of at least {MIN_SECRET_CHARACTERS} characters"
        raise InvalidValue(rule, hint="Make one with `openssl rand -hex 24`.")
    return found


def keys_by_entry(text: str) -> tuple[str, ...]:
    """A key for each API, empty for NO_KEY."""
    return _by_entry(text, keys)


def parameter(text: str) -> str:
    # Not quoted: it may be the key itself, in the wrong variable.
    if text and not re.fullmatch(PARAMETER_NAME, text):
        raise InvalidValue("must be the name of an SSM parameter, such as /sluice/dev/name")
    return text


def parameters_by_entry(text: str) -> tuple[str, ...]:
    """A parameter for each API, empty for NO_KEY."""
    return _by_entry(text, parameter)


def base_url(text: str) -> str:
    """A base URL without a slash at its end; a host alone gets /v1, a host with a slash does not.

    Users of openai-forward write https://api.openai.com, whose API is below /v1.
    """
    if "," in text or text.startswith("["):
        raise InvalidValue("must be one URL", hint=FURTHER)
    url = http_url(text)
    return url if not url or split_url(text).path else f"{url}/v1"


def base_urls(text: str) -> tuple[str, ...]:
    found = tuple(http_url(entry) for entry in entries(text))
    if not all(found):
        raise InvalidValue("must have a URL between commas")
    return found


def http_url(text: str) -> str:
    """A URL without a slash at its end, or an empty text."""
    url, has_password = _url(text)
    if has_password:
        # It would replace the key in the Authorization header.
        raise InvalidValue("must be a URL without a user name and a password")
    return url


def proxy(text: str) -> str:
    """The URL of a proxy; UPSTREAM_TRANSPORT decides which schemes count."""
    scheme, separator, rest = text.partition("://")
    if separator and scheme not in PROXY_SCHEMES:
        raise InvalidValue("must start with http://", f"{scheme}://")
    url, _ = _url(f"http://{rest}" if separator else text)
    return url.replace("http", scheme, 1) if separator else url


def prefix(text: str) -> str:
    """A path such as /name, or an empty text."""
    path = f"/{text.strip('/')}" if text.strip("/") else ""
    if path and not re.fullmatch(PREFIX, path):
        rule = "must be a path such as /name, of letters, digits and -_.~"
        raise InvalidValue(rule, repr(text), FURTHER if "," in text else "")
    return path


def prefixes(text: str) -> tuple[str, ...]:
    found = tuple(prefix(entry) for entry in entries(text))
    if not all(found):
        raise InvalidValue("must have a path between commas")
    return found


def fallbacks(text: str) -> Mapping[str, str]:
    """model=other,…"""
    pairs = [entry.partition("=") for entry in texts(text)]
    found = {model.strip(): other.strip() for model, _, other in pairs}
    if not all(model and other for model, other in found.items()) or len(found) < len(pairs):
        raise InvalidValue("must be model=other,model=other, with each model once")
    return found


def deployments(text: str) -> Mapping[str, str]:
    """model=deployment,…"""
    found = {}
    for entry in texts(text):
        model, _, deployment = (part.strip() for part in entry.partition("="))
        if not (model and re.fullmatch(DEPLOYMENT, deployment)):
            rule = "must be model=deployment,…, a deployment of letters, digits and ._-"
            raise InvalidValue(rule, repr(entry))
        found[model] = deployment
    return found


def origins(text: str) -> tuple[str, ...]:
    found = tuple(entry.rstrip("/").lower() for entry in texts(text))
    if not all(entry == "*" or re.fullmatch(ORIGIN, entry) for entry in found):
        raise InvalidValue("must be * or origins as browsers write them, such as https://host")
    return found


def models(text: str) -> tuple[str, ...]:
    found = texts(text)
    wrong = next((model for model in found if not re.fullmatch(MODEL, model)), None)
    if wrong is not None:
        raise InvalidValue("must be names or ARNs of models between commas", repr(wrong))
    return found


def topic(text: str) -> str:
    if text and not re.fullmatch(TOPIC, text):
        raise InvalidValue("must be the ARN of an SNS topic", repr(text))
    return text


def route_rates(text: str) -> tuple[RouteRates, ...]:
    return _limit_values().route_rates(text) if text else ()


def rates(text: str) -> tuple[Rate, ...]:
    return _limit_values().rates(text) if text else ()


def model_prices(text: str) -> Mapping[str, tuple[int, int, int]]:
    return _limit_values().model_prices(text) if text else {}


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return _limit_values().networks(texts(text)) if text else ()


def _limit_values() -> ModuleType:
    from sluice import limit_values  # noqa: PLC0415 -- few deployments set a limit

    return limit_values


def _json_entries(text: str) -> tuple[str, ...]:
    import json  # noqa: PLC0415 -- few lists are written so

    try:
        found = json.loads(text)
    except ValueError:
        found = [None]
    if not all(isinstance(entry, str) for entry in found):
        raise InvalidValue("must be a list between commas, or a JSON array of texts")
    return tuple(entry.strip() for entry in found)


def _by_entry(text: str, check: Callable[[str], object]) -> tuple[str, ...]:
    found = entries(text)
    if not all(found):
        raise InvalidValue(f"must have an entry between commas, {NO_KEY} for an API without one")
    own = tuple("" if entry == NO_KEY else entry for entry in found)
    for entry in own:
        check(entry)
    return own


def _url(text: str) -> tuple[str, bool]:
    """A URL without a slash at its end, and whether a user name or a password is in it."""
    url = text.rstrip("/")
    if not url:
        return "", False
    try:
        parts = split_url(url)
    except ValueError:
        raise InvalidValue(ANY_URL) from None
    if parts.query:
        raise InvalidValue("must be a URL without a query")
    return url, parts.userinfo is not None
