"""Where models are: each kind of provider is a pure module, a call in and an HTTP request out."""

from __future__ import annotations

from sluice.http.urls import normalized
from sluice.named_tuple import NamedTuple
from sluice.upstream.headers import request_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from sluice.upstream.call import ModelCall
else:
    Protocol = object  # it says something to type checkers alone

ACCEPT_ENCODING = "identity"  # compressors hold back what is not yet a block


class UpstreamRequest(NamedTuple):
    """One HTTP request to a provider, with its key in it. Header names are in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    deployment: str | None = None
    """What the provider is asked to use where that is not the client's word for it: for the log,
    and for the message where there is none of that name."""


class Provider(Protocol):
    """A kind of API at one address."""

    @property
    def name(self) -> str:
        """What it is called in the log."""

    @property
    def mends_stream_end(self) -> bool:
        """Whether its event streams may lack their last line end."""

    def request(self, call: ModelCall, key: str | None) -> UpstreamRequest:
        """The request that asks `call`, authenticated by `key` where there is one.

        Nothing of the client's own authentication, cookies and way is in it. `body` is the call's
        own object unless a setting changes it. Raises InvalidField, SettingsError.
        """

    def own_answer(self, call: ModelCall) -> bytes | None:
        """The JSON of an answer that needs no upstream, or None."""


def upstream_headers(call: ModelCall, own_prefix: str | None = None) -> dict[str, str]:
    """The headers of a call that a provider may see, and how its answer must come.

    own_prefix: of the names that are this provider's, and would otherwise be the client's.
    """
    headers = request_headers(call.headers, own_prefix)
    return {**headers, "accept-encoding": ACCEPT_ENCODING}


def url_of(base_url: str, path: str, query: str) -> str:
    """The URL of a path below `base_url`, as it is sent."""
    return normalized(f"{base_url}{path}?{query}" if query else f"{base_url}{path}")
