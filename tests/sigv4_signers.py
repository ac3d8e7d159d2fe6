"""Requests with odd queries, signed by the signers that users have: AWS's own and others."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import requests
from awscrt import auth as crt
from awscrt.http import HttpHeaders, HttpRequest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from requests_aws4auth import AWS4Auth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ACCESS_KEY, SECRET_KEY, REGION = "AKID", "secret", "us-east-1"
SERVICES = ("lambda", "execute-api")

ODD_QUERIES = (
    "a=x%20y", "a%20b=1", "a=x%2By", "a%2Bb=1", "a=b,c", "a=x/y", "a=x%2Fy", "a=x%2fy", "/=1",
    "a=%7E", "a=%7e", "a=~", "a=*", "a=%2A", "a[]=1", "a%5B%5D=1", "a%5b%5d=1", "a=b=c", "a=b%3Dc",
    "a==", "a=!'()", "a=%21%27%28%29", "a=:@$", "a=%3A%40%24", "a=1;b=2", "a=?x", "a=%3F",
    "a=|^`{}", 'a="<>\\', "a.b-c_d=1", "a=%25", "a=%2525", "a=%00", "a=%0A", "a=%41", "%61=1",
    "a=1&", "&a=1", "a=1&&b=2", "a=", "flag", "flag&a=1", "a=&a", "b=2&a=1", "a=2&a=1", "a=b&a=%41",
    "a=1&B=2", "a-=1&a=2&a1=3&a%2B=4", "a=%C3%A9", "a=%c3%a9", "a=é", "é=日本", "a=%F0%9F%99%82",
    "X-Custom=1", "after=2026-01-01T00:00:00Z&filter=x:y",
)  # fmt: skip
"""What AWS reads in one way."""

AMBIGUOUS_QUERIES = ("a=x+y", "a+b=c", "q=Hello+World%21", "=v", "a=1&=v", "=")
"""What signers read in two ways: + as itself or a space, a pair without a name or nothing."""


class SignedRequest(NamedTuple):
    """A GET request as it is sent. Header names are in lower case, with the host."""

    signer: str
    service: str
    query: str
    """Before it was signed."""
    is_presigned: bool
    target: str
    headers: dict[str, str]


def signed_requests(
    queries: Iterable[str], host: str, path: str, keys: tuple[str, str] = (ACCESS_KEY, SECRET_KEY)
) -> list[SignedRequest]:
    """Each query signed now, by each signer, for each service, in headers and presigned."""
    queries = tuple(queries)
    made = [
        SignedRequest(signer, service, query, is_presigned, target, _with_host(headers, host))
        for service in SERVICES
        for query in queries
        for signer, is_presigned, target, headers in (
            *_by_crt(service, query, host, path, keys),
            *_by_botocore(service, query, host, path, keys),
            _by_requests_aws4auth(service, query, host, path, keys),
        )
    ]
    return [*made, *_by_npm(queries, host, path, keys)]


def _with_host(headers: Iterable[tuple[str, str]], host: str) -> dict[str, str]:
    return {"host": host, **{name.lower(): value for name, value in headers}}


_Made = tuple[str, bool, str, "Iterable[tuple[str, str]]"]


def _by_crt(
    service: str, query: str, host: str, path: str, keys: tuple[str, str]
) -> Iterator[_Made]:
    """AWS's own signer in C, which its newer SDKs share."""
    kinds = crt.AwsSignatureType
    for kind in (kinds.HTTP_REQUEST_HEADERS, kinds.HTTP_REQUEST_QUERY_PARAMS):
        config = crt.AwsSigningConfig(
            algorithm=crt.AwsSigningAlgorithm.V4,
            region=REGION,
            service=service,
            credentials_provider=crt.AwsCredentialsProvider.new_static(*keys),
            signature_type=kind,
        )
        request = HttpRequest("GET", f"{path}?{query}", HttpHeaders([("Host", host)]))
        signed: Any = crt.aws_sign_request(request, config).result(10)
        yield "awscrt", kind is not kinds.HTTP_REQUEST_HEADERS, signed.path, list(signed.headers)


def _by_botocore(
    service: str, query: str, host: str, path: str, keys: tuple[str, str]
) -> Iterator[_Made]:
    """With the pairs as parameters: botocore signs the query of a URL as it is."""
    pairs = parse_qsl(query, keep_blank_values=True)
    for kind in (SigV4Auth, SigV4QueryAuth):
        is_presigned = kind is SigV4QueryAuth
        request = AWSRequest("GET", f"http://{host}{path}")
        request.params = dict(pairs) if is_presigned else pairs
        kind(ReadOnlyCredentials(*keys, None), service, REGION).add_auth(request)
        target = request.url.removeprefix(f"http://{host}") if is_presigned else f"{path}?{query}"
        yield "botocore", is_presigned, target, request.headers.items()


def _by_requests_aws4auth(
    service: str, query: str, host: str, path: str, keys: tuple[str, str]
) -> _Made:
    auth = AWS4Auth(*keys, REGION, service)
    request = requests.Request("GET", f"http://{host}{path}?{query}", auth=auth).prepare()
    return "requests-aws4auth", False, request.path_url, request.headers.items()


def _by_npm(
    queries: tuple[str, ...], host: str, path: str, keys: tuple[str, str]
) -> Iterator[SignedRequest]:
    """aws4, aws4fetch and the signer of AWS's JavaScript SDK, all in one process."""
    given = {
        "host": host,
        "path": path,
        "services": SERVICES,
        "region": REGION,
        "queries": queries,
        "keys": {"accessKeyId": keys[0], "secretAccessKey": keys[1]},
    }
    printed = subprocess.run(
        ["node", str(Path(__file__).with_suffix(".mjs"))],
        input=json.dumps(given),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout
    for made in json.loads(printed):
        headers = _with_host(made["headers"].items(), host)
        yield SignedRequest(
            made["signer"],
            made["service"],
            made["query"],
            made["isPresigned"],
            made["target"],
            headers,
        )
