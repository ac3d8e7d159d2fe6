"""Every contract test runs over both transports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sluice.upstream.transports.sending import built_in, by_requests

if TYPE_CHECKING:
    from tests.sluice.upstream.transports.sending import OpenTransport


@pytest.fixture(params=[built_in, by_requests])
def open_transport(request: pytest.FixtureRequest) -> OpenTransport:
    opening: OpenTransport = request.param
    return opening
