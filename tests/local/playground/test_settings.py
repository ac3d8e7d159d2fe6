"""What the page learns of the service."""

from __future__ import annotations

import pytest

from local.playground.settings import api_path, url_proof, websocket_proof


def test_proof_follows_the_auth_mode() -> None:
    assert url_proof("none") == "key"
    assert url_proof("aws_iam") == "signature"
    assert url_proof("aws_iam", has_public_key=True) == "key"
    modes = {"": "key", "none": "none", "forward_key": "key", "aws_iam": "signature"}
    assert {mode: websocket_proof(mode) for mode in modes} == modes


@pytest.mark.parametrize(
    ("prefix", "path"),
    [("", "/v1"), ("/", "/v1"), ("/openai", "/openai/v1"), ("/openai/v1/", "/openai/v1")],
)
def test_api_is_below_the_route_prefix(prefix: str, path: str) -> None:
    assert api_path(prefix) == path
