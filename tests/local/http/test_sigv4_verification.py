"""Verifying signatures made by botocore and by hand."""

from __future__ import annotations

import calendar
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.credentials import Credentials as SigningKeys

from local.http.requests import HttpRequest
from local.http.sigv4_verification import (
    MissingSignatureError,
    SignatureCheck,
    SignatureRejectedError,
)
from local.project.environment import Credentials
from tests.local.http.signing import presigned_url, signed_headers

KEYS = SigningKeys("AKID", "secret")
CHECK = SignatureCheck(Credentials("AKID", "secret"), "lambda", "us-east-1")
HOST = "127.0.0.1:3000"
COLLECTED_AT = time.time()
"""When the requests among the parameters were signed; their test may run minutes later."""


def signed(
    target: str = "/", body: bytes = b"", method: str = "POST", **options: Any
) -> HttpRequest:
    """Return a request signed now by botocore."""
    headers = signed_headers(method, f"http://{HOST}{target}", body, **{"keys": KEYS, **options})
    path, _, query = target.partition("?")
    return HttpRequest(method, path, query, tuple(headers.items()), body)


def presigned(expires: int = 60, target: str = "/dev?a=1") -> HttpRequest:
    parts = urlsplit(presigned_url(f"http://{HOST}{target}", keys=KEYS, expires=expires))
    return HttpRequest("GET", parts.path, parts.query, (("Host", HOST),))


def with_header(request: HttpRequest, name: str, value: str) -> HttpRequest:
    kept = [field for field in request.headers if field[0].lower() != name.lower()]
    return replace(request, headers=(*kept, (name, value)))


UNSIGNED = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}


def sha256(body: bytes) -> dict[str, str]:
    return {"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}


@pytest.mark.parametrize(
    "request_",
    [
        signed(),
        signed(body=b'{"a": 1}', headers={"Content-Type": "application/json"}),
        signed(target="/v1/a%20b/@x?b=2&a=1&a=0", method="GET"),
        signed(headers=sha256(b"z"), body=b"z"),
        signed(keys=SigningKeys("AKID", "secret", "token")),
        signed(headers={"X-Spaces": "  a   b  "}),
        # A header that the signer left out may change.
        with_header(signed(), "User-Agent", "proxy"),
        presigned(),
    ],
)
def test_valid_signature_is_accepted(request_: HttpRequest) -> None:
    assert CHECK.verify(request_, COLLECTED_AT) == "AKID"


CHANGES: dict[str, Callable[[HttpRequest], HttpRequest]] = {
    "method": lambda r: replace(r, method="PUT"),
    "path": lambda r: replace(r, raw_path="/other"),
    "query": lambda r: replace(r, raw_query="a=2"),
    "body": lambda r: replace(r, body=b"other"),
    "host": lambda r: with_header(r, "Host", "elsewhere"),
    "signed header": lambda r: with_header(r, "X-Mine", "2"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_changed_request_is_rejected(what: str) -> None:
    request = CHANGES[what](signed("/p?a=1", b"body", headers={"X-Mine": "1"}))
    with pytest.raises(SignatureRejectedError, match="does not match") as caught:
        CHECK.verify(request, time.time())
    assert caught.value.error_type == "InvalidSignatureException"


PRESIGNED = presigned()


@pytest.mark.parametrize(
    ("request_", "error_type", "message"),
    [
        (
            signed(keys=SigningKeys("OTHER", "secret")),
            "UnrecognizedClientException",
            "security token",
        ),
        (signed(keys=SigningKeys("AKID", "x")), "InvalidSignatureException", "does not match"),
        (signed(region="eu-west-1"), "InvalidSignatureException", "valid region: 'us-east-1'"),
        (signed(service="execute-api"), "InvalidSignatureException", "service: 'lambda'"),
        (signed(body=b"z", headers=sha256(b"y")), "InvalidSignatureException", "does not match"),
        (signed(body=b"z", headers=UNSIGNED), "InvalidSignatureException", "does not match"),
        (signed(method="GET", headers=UNSIGNED), "InvalidSignatureException", "does not match"),
        (
            replace(PRESIGNED, raw_query=PRESIGNED.raw_query.replace("a=1", "a=2")),
            "InvalidSignatureException",
            "does not match",
        ),
    ],
)
def test_foreign_signature_is_rejected(
    request_: HttpRequest, error_type: str, message: str
) -> None:
    with pytest.raises(SignatureRejectedError, match=message) as caught:
        CHECK.verify(request_, COLLECTED_AT)
    assert caught.value.error_type == error_type


@pytest.mark.parametrize("query", ["a=b,c", "a=*", "a=%2f", "a=b=c", "a=%41", "a=x+y", "a=1&"])
def test_query_signed_as_it_is_sent_is_rejected_if_aws_encodes_it_in_another_way(
    query: str,
) -> None:
    with pytest.raises(SignatureRejectedError, match="does not match"):
        CHECK.verify(signed(target=f"/?{query}"), time.time())


@pytest.mark.parametrize("headers", [(), (("Authorization", "Bearer x"),)])
def test_missing_signature_is_an_error_of_its_own(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(MissingSignatureError):
        CHECK.verify(HttpRequest("GET", "/", "", headers), time.time())


def test_signature_is_valid_for_its_lifetime_only() -> None:
    request, now = signed(), time.time()
    for age, message in ((303, "Signature expired: .* 5 min"), (-303, "not yet current")):
        with pytest.raises(SignatureRejectedError, match=message) as caught:
            CHECK.verify(request, now + age)
        assert caught.value.error_type == "InvalidSignatureException"
    for age in (290, -290):
        CHECK.verify(request, now + age)
    request = presigned(expires=3600)
    CHECK.verify(request, now + 3500)
    with pytest.raises(SignatureRejectedError, match="Signature expired"):
        CHECK.verify(request, now + 3700)


AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/lambda/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=abc"
)


@pytest.mark.parametrize(
    ("authorization", "date", "message"),
    [
        (AUTHORIZATION.replace("Signature=abc", ""), "20260101T000000Z", "requires 'Signature'"),
        (AUTHORIZATION.replace("host;", ""), "20260101T000000Z", "'Host' must be"),
        (AUTHORIZATION.replace("AKID/", "/", 1).replace("/lambda", ""), "20260101T000000Z", "Cred"),
        (AUTHORIZATION, "today", "ISO-8601"),
        (AUTHORIZATION, "", "requires 'X-Amz-Date'"),
        (AUTHORIZATION, "20260102T000000Z", "date of the request"),
        (AUTHORIZATION.replace("abc", "\xe9"), "20260101T000000Z", "does not match"),
    ],
)
def test_incomplete_authorization_is_rejected_with_what_is_missing(
    authorization: str, date: str, message: str
) -> None:
    headers = (("Host", HOST), ("Authorization", authorization), ("X-Amz-Date", date))
    now = calendar.timegm((2026, 1, 1, 0, 0, 0))
    with pytest.raises(SignatureRejectedError, match=message):
        CHECK.verify(HttpRequest("GET", "/", "", headers), now)


def test_presigned_url_without_a_lifetime_is_valid_as_long_as_signed_headers() -> None:
    url, now = presigned_url(f"http://{HOST}/dev", keys=KEYS, expires=None), time.time()
    assert "Expires" not in url
    request = HttpRequest("GET", "/dev", url.partition("?")[2], (("Host", HOST),))
    assert CHECK.verify(request, now + 290) == "AKID"
    for age, message in ((303, "Signature expired: .* 5 min"), (-303, "not yet current")):
        with pytest.raises(SignatureRejectedError, match=message):
            CHECK.verify(request, now + age)


@pytest.mark.parametrize("expires", ["0", "604801", "x", "", "-1", "1.5", "²", "9" * 5000])
def test_lifetime_out_of_range_is_rejected(expires: str) -> None:
    request = presigned(expires=77)
    changed = replace(
        request, raw_query=request.raw_query.replace("Expires=77", f"Expires={expires}")
    )
    with pytest.raises(SignatureRejectedError, match="X-Amz-Expires must be"):
        CHECK.verify(changed, time.time())


def test_name_of_the_signature_may_be_encoded() -> None:
    request = presigned()
    encoded = replace(request, raw_query=request.raw_query.replace("X-Amz-Si", "%58-Amz%2DSi"))
    assert CHECK.verify(encoded, time.time()) == "AKID"


VECTORS = json.loads((Path(__file__).parents[2] / "data/connections_sigv4.json").read_text())[
    "vectors"
]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["op"] for vector in VECTORS])
def test_vector_of_the_connections_api_passes(vector: dict[str, Any]) -> None:
    parts = urlsplit(vector["url"])
    headers = (("Host", parts.netloc), *vector["headers"].items())
    body = (vector.get("body") or "").encode()
    request = HttpRequest(vector["method"], parts.path, parts.query, headers, body)
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    check = SignatureCheck(keys, "execute-api", "us-east-1")
    assert check.verify(request, calendar.timegm((2026, 11, 20, 8, 1, 0))) == "AKIDEXAMPLE"


def test_date_header_replaces_x_amz_date() -> None:
    made = signed(headers={"Date": "set by the signer"})
    assert "X-Amz-Date" not in dict(made.headers)
    assert CHECK.verify(made, time.time()) == "AKID"
