"""Every contract test runs over both transports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from sluice.http.connection import proxy_of
from sluice.http.transport import HttpTransport
from sluice.upstream.transports.requests import RequestsTransport

if TYPE_CHECKING:
    from sluice.upstream.transports import Transport


class OpenTransport(Protocol):
    def __call__(self, proxy: str | None = None, trusted: str | None = None) -> Transport: ...


def _built_in(proxy: str | None = None, trusted: str | None = None) -> Transport:
    return HttpTransport(proxy_of(proxy) if proxy else None, trusted)


@pytest.fixture(params=[_built_in, RequestsTransport], ids=["built-in", "requests"])
def open_transport(request: pytest.FixtureRequest) -> OpenTransport:
    opening: OpenTransport = request.param
    return opening
