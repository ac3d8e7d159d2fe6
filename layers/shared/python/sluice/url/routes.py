"""Which API a path and a method mean, and what of a path the log may show. No I/O."""

from __future__ import annotations

import re

from sluice.errors import MethodNotAllowed, UnknownPath
from sluice.named_tuple import NamedTuple
from sluice.upstream.targets import API_ROOT, SLASHES, find_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from sluice.upstream.targets import Target

OWN_PATHS = {
    "GET /": "describes this service",
    "GET /?message=TEXT": "streams the answer to a message",
    "POST /": "answers a template request or the provider's own JSON",
    "GET /key/info": "describes the limits of a key, and what it has used",
    "GET /healthz": "answers 200 without calling the model",
}
PASSED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Not TRACE, which makes a server repeat the request with the provider's key in it, nor CONNECT,
which has no path."""
AZURE_ROOT = "/openai"
WORD = re.compile(r"[a-z][a-z_-]{0,30}")  # of an API's paths; ids and file names look different


class Route(NamedTuple):
    """What a path means: an API, the path there, and the model, if the path names one."""

    target: Target
    path: str
    deployment: str | None = None
    is_azures: bool = False
    """Whether it is a path of Azure's clients."""


class Routes:
    """The paths of one deployment.

    own: method and path of what the gateway answers itself. targets: the APIs, the default first.
    """

    def __init__(self, own: Collection[tuple[str, str]], targets: tuple[Target, ...]) -> None:
        self._own = own
        self._own_paths = {path for _, path in own}
        self._targets = targets
        self._azure_prefix = targets[0].route_prefix.removesuffix(API_ROOT)
        self.described = {
            **OWN_PATHS,
            **{
                f"{target.route_prefix}/*": f"the provider's own API ({target.provider.name})"
                for target in targets
            },
            f"{self._azure_prefix}{AZURE_ROOT}/*": "the main API for clients of Azure OpenAI",
        }

    def own(self, method: str, path: str) -> tuple[str, str] | None:
        """The method and path of what the gateway answers itself, or None.

        Doubled slashes and one at the end do not count, as below an API's prefix; HEAD is a GET.
        """
        route = ("GET" if method == "HEAD" else method, _plain(path))
        return route if route in self._own else None

    def target_of(self, method: str, path: str) -> Route:
        """The API that answers. Raises MethodNotAllowed, UnknownPath."""
        if method not in PASSED_METHODS:
            raise not_allowed(method, PASSED_METHODS)
        if _plain(path) in self._own_paths:
            allowed = tuple(own for own, where in self._own if where == _plain(path))
            raise not_allowed(method, ("HEAD", *allowed) if "GET" in allowed else allowed)
        found = self._find(path)
        if found is None:
            raise UnknownPath(
                f"Unknown path. Available paths: {', '.join(self.described)}. The base URL of an "
                f"OpenAI client ends in {self._targets[0].route_prefix}."
            )
        return found

    def logged_path(self, path: str) -> str:
        """The path without what a client may have put into it: ids, file names, mistakes."""
        if _plain(path) in self._own_paths:
            return _plain(path)
        if self._find(path) is None:
            return "(unknown)"
        segments = path.split("/")
        return "/".join(s if WORD.fullmatch(s) or s in ("", "v1") else "*" for s in segments)

    def _find(self, path: str) -> Route | None:
        found = find_target(self._targets, path)
        if found is not None:
            return Route(*found)
        if AZURE_ROOT not in path or not path.startswith(self._azure_prefix):
            return None
        from sluice.url.azure_paths import openai_path  # noqa: PLC0415 -- few clients are Azure's

        asked = openai_path(path.removeprefix(self._azure_prefix))
        if asked is None:
            return None
        below, deployment = asked
        found = find_target(self._targets, f"{self._targets[0].route_prefix}{below}")
        return None if found is None else Route(*found, deployment, is_azures=True)


def not_allowed(method: str, allowed: tuple[str, ...]) -> MethodNotAllowed:
    return MethodNotAllowed(f"This path allows {', '.join(allowed)}, not {method}.", allowed)


def _plain(path: str) -> str:
    return SLASHES.sub("/", path).rstrip("/") or "/"
