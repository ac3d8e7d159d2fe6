"""The environment of a function, as far as AWS's clients read it."""

from __future__ import annotations

ENVIRON = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}


def environ_of(endpoint: str, **more: str) -> dict[str, str]:
    """The environment of a function whose APIs are at `endpoint`."""
    return {**ENVIRON, "AWS_ENDPOINT_URL": endpoint, **more}
