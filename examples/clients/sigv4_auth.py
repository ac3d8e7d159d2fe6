"""Sign requests to a Function URL that IAM protects, for httpx and for requests.

Copy this file and keep the class that you need. It requires botocore, a dependency of boto3, and
that class's HTTP client. OpenAI's SDK uses httpx2 from version 3 on and httpx before: change the
import to match. https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import anyio.to_thread
import httpx2 as httpx
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.session import get_session
from requests.auth import AuthBase

# Proxies and HTTP clients may change other fields, but not these.
SIGNED_FIELDS = ("content-type", "x-amz-content-sha256")


class CredentialSource(Protocol):
    """Credentials of a botocore or boto3 session, read again for each request."""

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return a valid key pair; may fetch it from AWS."""


class FunctionUrlSigner:
    """Make the header fields that authorize a request.

    region: the function's. credentials: boto3.Session().get_credentials(), or None for those of
    the environment, ~/.aws or the machine, as every AWS tool finds them.
    """

    def __init__(
        self, region: str = "us-east-1", credentials: CredentialSource | None = None
    ) -> None:
        self._region = region
        self._credentials = credentials or get_session().get_credentials()
        if self._credentials is None:
            raise ValueError(
                "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "or log in with the AWS CLI (the local stack takes local and local)"
            )

    def fields(self, method: str, url: str, sent: Mapping[str, str], body: bytes) -> dict[str, str]:
        """Return Authorization and its companions; `url` and `sent` exactly as they are sent."""
        signed = {name: value for name, value in sent.items() if name.lower() in SIGNED_FIELDS}
        request = AWSRequest(method=method, url=canonical(url), headers=signed, data=body)
        # Frozen here, so that a refresh cannot come between key and token.
        frozen = self._credentials.get_frozen_credentials()
        SigV4Auth(frozen, "lambda", self._region).add_auth(request)
        names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
        return {name: request.headers[name] for name in names if name in request.headers}


def canonical(url: str) -> str:
    """Return the URL with its query encoded as AWS encodes it when it verifies a signature."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
    query = urlencode(pairs, quote_via=quote, errors="surrogateescape")
    return parts._replace(query=query).geturl()


class HttpxSigV4Auth(httpx.Auth):
    """`httpx.Client(auth=HttpxSigV4Auth())`, and the same for an AsyncClient.

    A body in pieces, multipart too, is read whole before it is sent, because its hash is signed.
    Lambda takes at most 6 MB.
    """

    requires_request_body = True

    def __init__(
        self, region: str = "us-east-1", credentials: CredentialSource | None = None
    ) -> None:
        self._signer = FunctionUrlSigner(region, credentials)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        self._sign(request)
        yield request

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        await request.aread()
        # In a thread, because refreshing credentials calls AWS.
        await anyio.to_thread.run_sync(self._sign, request)
        yield request

    def _sign(self, request: httpx.Request) -> None:
        url = canonical(str(request.url))
        request.url = httpx.URL(url)
        fields = self._signer.fields(request.method, url, request.headers, request.content)
        request.headers.update(fields)


class RequestsSigV4Auth(AuthBase):
    """`requests.post(url, json=…, auth=RequestsSigV4Auth())`.

    Bodies are bytes, text, JSON, forms, files or an open file. An iterator raises TypeError:
    computing its hash would use it up.
    """

    def __init__(
        self, region: str = "us-east-1", credentials: CredentialSource | None = None
    ) -> None:
        self._signer = FunctionUrlSigner(region, credentials)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body: object = request.body
        read = getattr(body, "read", None)
        if read is not None:
            body = request.body = read()
        if isinstance(body, str):
            body = request.body = body.encode()
        if not isinstance(body, bytes | None):
            raise TypeError(
                f"the body must be bytes, text or a file, to sign its hash (got {type(body)}): "
                "join the pieces first"
            )
        method, url = request.method or "GET", canonical(request.url or "")
        request.url = url
        request.headers.update(self._signer.fields(method, url, request.headers, body or b""))
        return request
