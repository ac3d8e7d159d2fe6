"""moto's server in the place of AWS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.backends import get_backend
from moto.server import ThreadedMotoServer

ACCOUNT = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
# Lambda sets both.
REGION = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def account() -> Iterator[dict[str, str]]:
    """The environment of programs in an account that holds nothing yet."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {**ACCOUNT, "AWS_ENDPOINT_URL": f"http://{host}:{port}", **REGION}
    server.stop()
    get_backend("ssm").reset()  # moto's servers of one process share what they hold
