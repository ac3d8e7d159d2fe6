"""Where models are: each kind of provider is a pure module, a call in and an HTTP request out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.model_call import ModelCall

ACCEPT_ENCODING = "identity"  # compressors hold back what is not yet a block


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One HTTP request to a provider, with its key in it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Provider(Protocol):
    """A kind of API at one address."""

    @property
    def name(self) -> str:
        """What it is called in the log."""

    def request(self, call: ModelCall, key: str | None) -> UpstreamRequest:
        """The request that asks `call`, authenticated by `key` where there is one."""

    def own_answer(self, call: ModelCall) -> bytes | None:
        """The JSON of an answer that needs no upstream, or None."""
