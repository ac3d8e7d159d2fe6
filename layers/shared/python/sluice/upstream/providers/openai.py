"""OpenAI's API, and compatible ones.

https://platform.openai.com/docs/api-reference/authentication
"""

from __future__ import annotations

from sluice.upstream.providers import UpstreamRequest, upstream_headers, url_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.upstream.call import ModelCall


class OpenAIProvider:
    """An API below `base_url`, which has no slash at its end.

    own_headers: the beginnings of names that pass, see request_headers.
    """

    name = "openai"
    mends_stream_end = False
    counts_streams = True
    has_deployments = False

    def __init__(self, base_url: str, own_headers: tuple[str, ...] = ()) -> None:
        self.base_url = base_url
        self._own_headers = own_headers

    def request(self, call: ModelCall, key: str | None) -> UpstreamRequest:
        url = url_of(self.base_url, call.path, call.query)
        headers = upstream_headers(call, self._own_headers)
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        return UpstreamRequest(call.method, url, headers, call.body)

    def own_answer(self, call: ModelCall) -> bytes | None:
        del call  # the provider answers all calls
        return None
