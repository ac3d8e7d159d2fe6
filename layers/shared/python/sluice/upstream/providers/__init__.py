"""The kinds of providers. Each is a module without I/O: a call in, an HTTP request out."""

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
    Protocol = object  # only type checkers need it

ACCEPT_ENCODING = "identity"  # a compressor holds bytes back until it has a block


class UpstreamRequest(NamedTuple):
    """One HTTP request to a provider, with its key in it. Header names are in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    deployment: str | None = None
    """The provider's own name for the model, if it has one: for the log."""


class Provider(Protocol):
    """A kind of API at one address."""

    @property
    def name(self) -> str:
        """Its name in the log."""

    @property
    def base_url(self) -> str:
        """Where it is: the beginning of every URL."""

    @property
    def counts_streams(self) -> bool:
        """Whether a stream may be asked for its token counts."""

    @property
    def has_deployments(self) -> bool:
        """Whether the URL of a request says which model answers, whatever its body names."""

    @property
    def mends_stream_end(self) -> bool:
        """Whether its event streams may end without their last line end."""

    def request(self, call: ModelCall, key: str | None) -> UpstreamRequest:
        """The request for `call`, authenticated by `key` if there is one.

        Nothing of the client's own authentication, cookies and way is in it. `body` is the call's
        own object unless a setting changes it. Raises InvalidField, SettingsError.
        """

    def own_answer(self, call: ModelCall) -> bytes | None:
        """The JSON of an answer that needs no upstream, or None."""


def upstream_headers(call: ModelCall, own: tuple[str, ...] = ()) -> dict[str, str]:
    """The headers of a call that a provider may see, and the encoding of its answer.

    own: see request_headers.
    """
    headers = request_headers(call.headers, own)
    return {**headers, "accept-encoding": ACCEPT_ENCODING}


def url_of(base_url: str, path: str, query: str) -> str:
    """The URL of a path below `base_url`, as it is sent."""
    return normalized(f"{base_url}{path}?{query}" if query else f"{base_url}{path}")
