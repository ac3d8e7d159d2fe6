"""Every contract test runs over both transports."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import pytest

from sluice.http.connection import proxy_of
from sluice.http.transport import HttpTransport

if TYPE_CHECKING:
    from sluice.upstream.transports import Transport


class OpenTransport(Protocol):
    def __call__(self, proxy: str | None = None, trusted: str | None = None) -> Transport: ...


def _built_in(proxy: str | None = None, trusted: str | None = None) -> Transport:
    return HttpTransport(proxy_of(proxy) if proxy else None, trusted)


def _by_requests(proxy: str | None = None, trusted: str | None = None) -> Transport:
    from sluice.upstream.transports.requests import RequestsTransport  # noqa: PLC0415 -- see below

    return RequestsTransport(proxy, trusted)


HAS_PYSOCKS = find_spec("socks") is not None  # until each .venv is that of requirements-dev.txt
collect_ignore = [] if HAS_PYSOCKS else ["test_requests.py"]
TRANSPORTS = {"built-in": _built_in, "requests": _by_requests}


@pytest.fixture(
    params=list(TRANSPORTS.values())[: 1 + HAS_PYSOCKS],
    ids=lambda opening: opening.__name__.strip("_"),
)
def open_transport(request: pytest.FixtureRequest) -> OpenTransport:
    opening: OpenTransport = request.param
    return opening
