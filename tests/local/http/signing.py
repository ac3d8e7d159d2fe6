"""Signs requests with botocore, for tests."""

from __future__ import annotations

from urllib.parse import urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"
LOCAL = Credentials("local", "local")


def signed_headers(
    method: str,
    url: str,
    body: bytes = b"",
    *,
    keys: Credentials = LOCAL,
    service: str = "lambda",
    region: str = REGION,
    headers: dict[str, str] | None = None,
) -> dict[str, str]:
    """Return the header fields of a request that is signed now, `headers` among them."""
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    request.headers["Host"] = urlsplit(url).netloc
    SigV4Auth(keys, service, region).add_auth(request)
    return dict(request.headers)


class _WithoutExpires(SigV4QueryAuth):  # type: ignore[misc]  # botocore ships no types
    """As signers do it that leave X-Amz-Expires out, which only S3 requires."""

    def canonical_request(self, request: AWSRequest) -> str:
        request.url = request.url.replace("&X-Amz-Expires=60", "")
        return str(super().canonical_request(request))


def presigned_url(
    url: str, *, keys: Credentials = LOCAL, service: str = "lambda", expires: int | None = 60
) -> str:
    """Return `url` with a signature that is valid for `expires` seconds from now.

    None: the URL does not say how long.
    """
    request = AWSRequest(method="GET", url=url)
    if expires is None:
        _WithoutExpires(keys, service, REGION, 60).add_auth(request)
    else:
        SigV4QueryAuth(keys, service, REGION, expires).add_auth(request)
    return str(request.url)
