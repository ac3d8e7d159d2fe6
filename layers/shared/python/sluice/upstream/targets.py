"""The APIs that Sluice calls, and which of them a path means (no I/O)."""

from __future__ import annotations

import re
from functools import lru_cache

from sluice.errors import SettingsError
from sluice.http.urls import encoded_path, split_url
from sluice.named_tuple import NamedTuple
from sluice.settings import KeySource
from sluice.upstream.headers import ACCOUNT_HEADERS
from sluice.upstream.providers.openai import OpenAIProvider

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.settings import Settings
    from sluice.upstream.providers import Provider

API_ROOT = "/v1"
SLASH = r"(?:[/\\]|%(?:25)*(?:2f|5c))"  # plain, or encoded any number of times
DOT = r"(?:\.|%(?:25)*2e)"
SEGMENT_END = rf"(?:{SLASH}|;|%(?:25)*3b|\Z)"  # some servers cut off parameters: /..;x/
DOT_SEGMENT = rf"(?i)(?:\A|{SLASH}){DOT}{{1,2}}{SEGMENT_END}"
DOT_SIGNS = frozenset(".%")  # such a segment has one of them
SLASHES = re.compile("/+")


class Target(NamedTuple):
    """One API, and where Sluice's clients find it.

    route_prefix: such as /v1, without a slash at its end. keys: the only ones that may go there.
    url_variable: the setting that says where the API is, for errors.
    is_verbatim: whether what follows the prefix goes on as it is, and streams come back as they
    are; otherwise its doubled slashes and the one at its end are mended, which clients of OpenAI's
    API send now and then, and heartbeats that its SDKs cannot read are comments.
    """

    route_prefix: str
    provider: Provider
    keys: KeySource
    url_variable: str
    is_verbatim: bool = False


def read_targets(environ: Mapping[str, str], settings: Settings) -> tuple[Target, ...]:
    """All targets. The first is the default one, at /v1 or OPENAI_ROUTE_PREFIX/v1.

    Raises SettingsError. Imports only the providers that the settings select. A target whose
    requests are signed keeps `environ`.
    """
    targets = (_default_target(environ, settings), *_extra_targets(environ, settings))
    prefixes = [target.route_prefix for target in targets]
    for prefix in prefixes:
        if prefixes.count(prefix) > 1:
            rule = "must differ for each API; the main API has a prefix, too"
            raise SettingsError("EXTRA_ROUTE_PREFIX", rule, f"{prefix} twice")
    return targets


@lru_cache(
    maxsize=32
)  # clients use few paths, each looked up twice: for the log and for the answer
def find_target(targets: tuple[Target, ...], path: str) -> tuple[Target, str] | None:
    """The target with the longest prefix of a path, and the rest of the path.

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
    """Length of the target's prefix in the path, or -1 if the path is not below it."""
    prefix = target.route_prefix
    if path.startswith(f"{prefix}/"):
        return len(prefix)
    segments = prefix.split("/")[1:]
    pattern = "".join(f"/+{re.escape(segment)}" for segment in segments) + r"(?=/|\Z)"
    found = re.match(pattern, path)  # `re` keeps the compiled pattern
    return found.end() if found else -1


def _default_target(environ: Mapping[str, str], settings: Settings) -> Target:
    route_prefix = settings.openai_route_prefix.removesuffix(API_ROOT) + API_ROOT
    if _uses_azure(settings):
        provider, keys = _azure(settings)
        return Target(route_prefix, provider, keys, "AZURE_OPENAI_ENDPOINT")
    auth = settings.upstream_auth
    provider = _provider(environ, settings, settings.openai_base_url, auth)
    # Signed requests need no key, even if one is set for something else.
    keys = KeySource("OPENAI_API_KEY") if auth == "aws_sigv4" else settings.openai_keys
    return Target(route_prefix, provider, keys, "OPENAI_BASE_URL")


def _uses_azure(settings: Settings) -> bool:
    """AZURE_OPENAI_PROXY_MODE, or else whether AZURE_OPENAI_ENDPOINT is set.

    azure-openai-proxy's default is azure, and its users have set the endpoint.
    """
    mode = settings.azure_proxy_mode
    return mode == "azure" or (not mode and bool(settings.azure_endpoint))


def _azure(settings: Settings) -> tuple[Provider, KeySource]:
    from sluice.upstream.providers.azure import AzureProvider, surface_of  # noqa: PLC0415

    surface = surface_of(settings.azure_endpoint, settings.azure_api_version)
    default_model = settings.openai_model if settings.names_a_model else None
    provider = AzureProvider(surface, settings.azure_model_mapper, default_model)
    keys = settings.azure_keys
    return provider, keys if keys.plain or keys.parameter else settings.openai_keys


def _provider(
    environ: Mapping[str, str], settings: Settings, base_url: str, auth: str = ""
) -> Provider:
    """The provider at a base URL: by `auth`, or else by its host."""
    host = split_url(base_url).host
    openai = OpenAIProvider(base_url, ACCOUNT_HEADERS if settings.pass_account_headers else ())
    if auth == "bearer" or not (auth or "bedrock-" in host):
        return openai
    from sluice.upstream.providers.bedrock import (  # noqa: PLC0415
        BedrockProvider,
        scope_of_host,
        signing_scope,
    )

    if not auth and scope_of_host(base_url) is None:
        return openai
    own_region = environ.get("AWS_REGION", "")
    return BedrockProvider(base_url, signing_scope(settings, base_url, own_region), environ)


def _extra_targets(environ: Mapping[str, str], settings: Settings) -> list[Target]:
    urls = settings.extra_base_urls
    nothing = ("",) * len(urls)  # another API's key must not be sent there
    lists = {
        "EXTRA_ROUTE_PREFIX": settings.extra_route_prefixes,
        "EXTRA_API_KEY": settings.extra_api_keys or nothing,
        "EXTRA_API_KEY_PARAMETER": settings.extra_api_key_parameters or nothing,
    }
    for variable, entries in lists.items():
        if len(entries) != len(urls):
            rule = f"must have as many entries as EXTRA_BASE_URL, which has {len(urls)}"
            raise SettingsError(variable, rule, str(len(entries)))
    return [
        Target(
            prefix,
            _provider(environ, settings, url),
            KeySource("EXTRA_API_KEY", (key,) if key else (), parameter),
            "EXTRA_BASE_URL",
            is_verbatim=True,
        )
        for url, prefix, key, parameter in zip(urls, *lists.values(), strict=True)
    ]
