"""Signatures by Web Crypto, judged by botocore and by the local stack's verifier."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKeys

from local.http.requests import HttpRequest
from local.http.sigv4_verification import SignatureCheck
from local.project.environment import Credentials
from tests.playground.modules import results_of

REGION = "eu-central-1"
URLS = (
    "wss://abc123.execute-api.eu-central-1.amazonaws.com/dev",
    "ws://127.0.0.1:3001",
    "ws://localhost:3001/dev/",
    "wss://h.example:443/a%20b/c+d@e",
    "wss://h.example/dev?b=2&a=%2F&flag=&x=it's%20(here)!*~",
)
REPEATED = "wss://h.example/dev?b=2&a=1&a=%2F&a="
"""botocore keeps only the first value of a name."""
KEYS = (
    ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None),
    ("ASIAODD", "odd/+=secret &%'\"()!*~", "odd/+==token &%'\"()!*~"),
    ("ASIAUNICODE", "größe\U0001f511", "jeton-é"),
)
PRESIGN = """
const [url, accessKeyId, secretAccessKey, sessionToken, now] = given
const credentials = { accessKeyId, secretAccessKey, sessionToken }
const options = { expiresS: 60, now: new Date(now) }
return found.presignWebSocket(url, credentials, 'eu-central-1', options)
"""
SIGN = """
const [method, url, headers, body, accessKeyId, secretAccessKey, sessionToken] = given
const credentials = { accessKeyId, secretAccessKey, sessionToken }
return found.signedHeaders({ method, url, headers, body, credentials, region: 'eu-central-1' })
"""


def by_botocore(url: str, keys: SigningKeys) -> str:
    request = AWSRequest("GET", "http" + url.removeprefix("ws"))
    SigV4QueryAuth(keys, "execute-api", REGION, expires=60).add_auth(request)
    return "ws" + str(request.url).removeprefix("http")


def pairs_of(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)


def unsigned(url: str) -> str:
    rest = [pair for pair in pairs_of(url) if not pair[0].startswith("X-Amz-")]
    return urlsplit(url)._replace(query=urlencode(rest, quote_via=quote)).geturl()


def time_of(url: str) -> datetime:
    (stamp,) = parse_qs(urlsplit(url).query)["X-Amz-Date"]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def test_presigned_address_equals_botocores() -> None:
    signed = [(keys, by_botocore(url, SigningKeys(*keys))) for url, keys in product(URLS, KEYS)]
    cases = [[unsigned(url), *keys, time_of(url).isoformat()] for keys, url in signed]
    found = results_of("examples/clients/presign_websocket.mjs", PRESIGN, cases)
    for (_, expected), made in zip(signed, found, strict=True):
        assert sorted(pairs_of(made)) == sorted(pairs_of(expected))
        assert urlsplit(made).path == (urlsplit(expected).path or "/")


def test_presigned_address_is_accepted_by_the_local_stack() -> None:
    now = datetime.now(UTC)
    cases = [[url, *keys, now.isoformat()] for url, keys in product((*URLS, REPEATED), KEYS)]
    found = results_of("examples/clients/presign_websocket.mjs", PRESIGN, cases)
    for (_, access_key, secret, *_), made in zip(cases, found, strict=True):
        check = SignatureCheck(Credentials(str(access_key), str(secret)), "execute-api", REGION)
        parts = urlsplit(made)
        host = parts.netloc.removesuffix(":443")
        request = HttpRequest("GET", parts.path, parts.query, (("Host", host),))
        assert check.verify(request, now.timestamp()) == access_key


def test_signed_headers_are_accepted_by_the_local_stack() -> None:
    body = '{"messages": [{"role": "user", "content": "é \U0001f600"}]}'
    url = "http://localhost:3000/v1/chat/completions?b=2&a=%2F"
    headers = {"Content-Type": "application/json"}
    cases = [["POST", url, headers, body, *keys] for keys in KEYS]
    for keys, made in zip(
        KEYS, results_of("playground/sign_request.mjs", SIGN, cases), strict=True
    ):
        check = SignatureCheck(Credentials(keys[0], keys[1]), "lambda", REGION)
        fields = (("Host", "localhost:3000"), *made.items())
        parts = urlsplit(url)
        request = HttpRequest("POST", parts.path, parts.query, fields, body.encode())
        assert check.verify(request, datetime.now(UTC).timestamp()) == keys[0]
