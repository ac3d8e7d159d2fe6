"""AWS signatures by botocore, which shares no code with the service."""

from __future__ import annotations

from typing import Any

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests import PreparedRequest
from requests.auth import AuthBase

UNKNOWN_KEY = "not-a-key-of-this-service"
PRESIGNED_FOR_S = 60
"""Lifetime of a presigned address, which is used at once."""


class FunctionUrlSignature(AuthBase):
    """Signs a request to a Function URL.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    """

    def __init__(self, credentials: Any, region: str) -> None:
        self._credentials = credentials
        self._region = region

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        content_type = request.headers.get("Content-Type")
        headers = {"Content-Type": content_type} if content_type else {}
        signed = AWSRequest(request.method, request.url, headers, request.body)
        SigV4Auth(self._credentials, "lambda", self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


def with_wrong_secret(credentials: Any) -> Credentials:
    """Return the same access key and token with another secret."""
    frozen = credentials.get_frozen_credentials()
    return Credentials(frozen.access_key, "not-the-secret", frozen.token)


def presigned_websocket_url(url: str, credentials: Any, region: str) -> str:
    """Return the address of a WebSocket API with a signature in its query."""
    request = AWSRequest("GET", "http" + url.removeprefix("ws"))
    SigV4QueryAuth(credentials, "execute-api", region, expires=PRESIGNED_FOR_S).add_auth(request)
    return "ws" + str(request.url).removeprefix("http")
