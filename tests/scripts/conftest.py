from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto.backends import get_backend

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def account(moto_url: str) -> Iterator[dict[str, str]]:
    """The environment of programs in an account of moto that holds nothing yet."""
    ssm = get_backend("ssm")  # imported now, and not within the two seconds that a function waits
    yield {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        # Lambda sets both.
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    ssm.reset()
