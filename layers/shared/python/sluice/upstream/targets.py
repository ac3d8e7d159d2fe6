"""Which APIs stand behind the gateway, and which of them a path means. No I/O."""

from __future__ import annotations

import re
from functools import lru_cache

from sluice.errors import SettingsError
from sluice.http.urls import encoded_path, split_url
from sluice.named_tuple import NamedTuple
from sluice.settings import KeySource, http_url, key_source
from sluice.upstream.providers.openai import OpenAIProvider

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.settings import Settings
    from sluice.upstream.providers import Provider

API_ROOT = "/v1"
NO_KEY = "-"
"""In EXTRA_API_KEY and EXTRA_API_KEY_PARAMETER, for a target that wants none."""
PREFIX = r"(?a)(?:/(?!\.)[\w.~-]+)+"
SLASH = r"(?:[/\\]|%(?:25)*(?:2f|5c))"  # plain, encoded, or encoded over and over
DOT = r"(?:\.|%(?:25)*2e)"
SEGMENT_END = rf"(?:{SLASH}|;|%(?:25)*3b|\Z)"  # some servers cut parameters off: /..;x/
DOT_SEGMENT = rf"(?i)(?:\A|{SLASH}){DOT}{{1,2}}{SEGMENT_END}"
DOT_SIGNS = frozenset(".%")  # without one of which there is no such segment
SLASHES = re.compile("/+")


class Target(NamedTuple):
    """One API behind the gateway, and where the gateway's clients find it.

    route_prefix: such as /v1, without a slash at its end. keys: the only ones that may go there.
    is_verbatim: whether what follows the prefix goes on as it is; otherwise its doubled slashes
    and the one at its end are mended, which clients of OpenAI's API send now and then.
    """

    route_prefix: str
    provider: Provider
    keys: KeySource
    is_verbatim: bool = False


def read_targets(environ: Mapping[str, str], settings: Settings) -> tuple[Target, ...]:
    """Every target, first the default one, which is at /v1 or OPENAI_ROUTE_PREFIX/v1.

    Raises SettingsError. Imports the providers that the settings ask for, and no others. environ:
    is kept by a target whose requests are signed.
    """
    targets = (_default_target(environ, settings), *_extra_targets(environ))
    prefixes = [target.route_prefix for target in targets]
    for prefix in prefixes:
        if prefixes.count(prefix) > 1:
            raise SettingsError(
                "EXTRA_ROUTE_PREFIX",
                "a prefix of its own for each target, and the main API has one too",
                f"{prefix} twice",
            )
    return targets


@lru_cache(maxsize=32)  # clients ask for few paths, and each twice: for the log and for the answer
def find_target(targets: tuple[Target, ...], path: str) -> tuple[Target, str] | None:
    """The target with the longest prefix of a path, and what of the path is below that.

    None for a path of no target, and for one with a segment "." or "..", however encoded: it could
    leave the target's base URL. An encoded slash alone may stay: names of models hold it.
    """
    if DOT_SIGNS.intersection(path) and re.search(DOT_SEGMENT, path):
        return None
    ends = [(_prefix_end(target, path), target) for target in targets]
    end, target = max(ends, key=lambda found: found[0])
    if end < 0:
        return None
    below = path[end:] if target.is_verbatim else SLASHES.sub("/", path[end:]).rstrip("/")
    return target, encoded_path(below)


def _prefix_end(target: Target, path: str) -> int:
    """How much of the path is the target's prefix, or -1 where it is not below that."""
    prefix = target.route_prefix
    if path.startswith(f"{prefix}/"):
        return len(prefix)
    segments = prefix.split("/")[1:]
    pattern = "".join(f"/+{re.escape(segment)}" for segment in segments) + r"(?=/|\Z)"
    found = re.match(pattern, path)  # `re` keeps the compiled pattern
    return found.end() if found else -1


def _default_target(environ: Mapping[str, str], settings: Settings) -> Target:
    variable = "OPENAI_ROUTE_PREFIX"
    given = environ.get(variable, "").strip().strip("/")
    route_prefix = (_prefix(variable, given) if given else "").removesuffix(API_ROOT) + API_ROOT
    if _asks_azure(environ):
        provider, keys = _azure(environ, settings)
        return Target(route_prefix, provider, keys)
    auth = _choice(environ, "UPSTREAM_AUTH", ("bearer", "aws_sigv4"))
    provider = _provider(environ, settings.openai_base_url, auth)
    # Who asks for signatures may still have a key set, for something else.
    keys = KeySource("OPENAI_API_KEY") if auth == "aws_sigv4" else settings.openai_keys
    return Target(route_prefix, provider, keys)


def _asks_azure(environ: Mapping[str, str]) -> bool:
    """AZURE_OPENAI_PROXY_MODE; without it, whether there is an endpoint to ask.

    azure-openai-proxy's default is azure, and who uses it has the endpoint set.
    """
    mode = _choice(environ, "AZURE_OPENAI_PROXY_MODE", ("azure", "openai"))
    return mode == "azure" or (not mode and bool(environ.get("AZURE_OPENAI_ENDPOINT", "").strip()))


def _azure(environ: Mapping[str, str], settings: Settings) -> tuple[Provider, KeySource]:
    from sluice.upstream.providers.azure import AzureProvider, read_mapper, read_surface  # noqa: PLC0415

    default_model = environ.get("OPENAI_MODEL", "").strip() or None  # no default: it is not there
    provider = AzureProvider(read_surface(environ), read_mapper(environ), default_model)
    token = key_source(environ, "AZURE_OPENAI_TOKEN")
    return provider, token if token.plain or token.parameter else settings.openai_keys


def _provider(environ: Mapping[str, str], base_url: str, auth: str = "") -> Provider:
    """The provider at a base URL, by its host where `auth` does not say how it is asked."""
    host = split_url(base_url).host
    if auth == "bearer" or not (auth or "bedrock-" in host):
        return OpenAIProvider(base_url)
    from sluice.upstream.providers.bedrock import (  # noqa: PLC0415
        BedrockProvider,
        read_signed_for,
        signed_for,
    )

    if not auth and signed_for(base_url) is None:
        return OpenAIProvider(base_url)
    return BedrockProvider(base_url, read_signed_for(environ, base_url), environ)


def _extra_targets(environ: Mapping[str, str]) -> list[Target]:
    urls = _entries(environ, "EXTRA_BASE_URL")
    prefixes = _entries(environ, "EXTRA_ROUTE_PREFIX")
    if len(prefixes) != len(urls):
        raise _of_other_length("EXTRA_ROUTE_PREFIX", prefixes, urls)
    keys = _extra_keys(environ, "EXTRA_API_KEY", urls)
    parameters = _extra_keys(environ, "EXTRA_API_KEY_PARAMETER", urls)
    return [
        _extra_target(environ, *entries)
        for entries in zip(urls, prefixes, keys, parameters, strict=True)
    ]


def _extra_target(
    environ: Mapping[str, str], url: str, prefix: str, key: str, parameter: str
) -> Target:
    base_url = http_url("EXTRA_BASE_URL", url)
    if base_url is None:
        raise SettingsError("EXTRA_BASE_URL", "a URL between commas", "nothing")
    keys = key_source({"EXTRA_API_KEY": key, "EXTRA_API_KEY_PARAMETER": parameter}, "EXTRA_API_KEY")
    route_prefix = _prefix("EXTRA_ROUTE_PREFIX", prefix)
    return Target(route_prefix, _provider(environ, base_url), keys, is_verbatim=True)


def _extra_keys(environ: Mapping[str, str], variable: str, urls: list[str]) -> list[str]:
    """A key for each URL, or the empty text for none. The default target's key is not theirs."""
    entries = _entries(environ, variable) or [NO_KEY] * len(urls)
    if len(entries) != len(urls):
        raise _of_other_length(variable, entries, urls)
    if not all(entries):
        raise SettingsError(variable, f"{NO_KEY!r} for a target without one", "nothing")
    return ["" if entry == NO_KEY else entry for entry in entries]


def _of_other_length(variable: str, entries: list[str], urls: list[str]) -> SettingsError:
    expected = f"as many entries as EXTRA_BASE_URL has, which are {len(urls)}"
    return SettingsError(variable, expected, str(len(entries)))


def _entries(environ: Mapping[str, str], variable: str) -> list[str]:
    """The entries of a list in their places: an empty one counts."""
    text = environ.get(variable, "").strip()
    return [entry.strip() for entry in text.split(",")] if text else []


def _prefix(variable: str, text: str) -> str:
    prefix = "/" + text.strip("/")
    if not re.fullmatch(PREFIX, prefix):
        raise SettingsError(variable, "a path such as /name, of letters, digits and -_.~", text)
    return prefix


def _choice(environ: Mapping[str, str], variable: str, choices: tuple[str, ...]) -> str:
    """One of the choices, or the empty text for none."""
    value = environ.get(variable, "").strip()
    if value not in ("", *choices):
        raise SettingsError(variable, " or ".join(choices), repr(value))
    return value
