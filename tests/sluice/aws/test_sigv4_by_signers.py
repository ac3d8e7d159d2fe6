"""Signatures of odd queries equal those of other signers."""

from __future__ import annotations

import re
import time
from datetime import datetime

from local.http.requests import HttpRequest
from local.http.sigv4_verification import SignatureCheck
from local.project.environment import Credentials as LocalKeys
from sluice.aws.sigv4 import Credentials, Scope, presign, sign
from tests.sigv4_signers import (
    ACCESS_KEY,
    AMBIGUOUS_QUERIES,
    ODD_QUERIES,
    REGION,
    SECRET_KEY,
    SignedRequest,
    signed_requests,
)

HOST = "127.0.0.1:3000"
READS_PLUS_AS_ITSELF = (True, "awscrt")
IGNORES_PAIRS_WITHOUT_A_NAME = (False, "aws4fetch")


def is_signed_alike(request: SignedRequest) -> bool:
    names, signature = re.findall(
        r"(?:SignedHeaders|Signature)=([^,]+)", request.headers["authorization"]
    )
    headers = {name: request.headers[name] for name in names.split(";") if name != "host"}
    signed_at = datetime.strptime(headers.pop("x-amz-date"), "%Y%m%dT%H%M%S%z")
    scope = Scope(REGION, request.service, signed_at.timestamp())
    url = f"http://{HOST}{request.target}"
    ours = sign("GET", url, b"", Credentials(ACCESS_KEY, SECRET_KEY), scope, headers)
    return ours["Authorization"].endswith(f"Signature={signature}")


def test_query_is_signed_as_by_other_signers() -> None:
    signed = signed_requests((*ODD_QUERIES, *AMBIGUOUS_QUERIES), HOST, "/dev")
    differ = [r for r in signed if not (r.is_presigned or is_signed_alike(r))]
    assert [request for request in differ if request.query in ODD_QUERIES] == []
    differing = {("+" in request.query, request.signer) for request in differ}
    assert differing == {READS_PLUS_AS_ITSELF, IGNORES_PAIRS_WITHOUT_A_NAME}


def test_presigned_query_is_sent_unchanged_and_verified_by_the_local_stack() -> None:
    check = SignatureCheck(LocalKeys(ACCESS_KEY, SECRET_KEY), "execute-api", REGION)
    scope = Scope(REGION, "execute-api", time.time())
    for query in (*ODD_QUERIES, *AMBIGUOUS_QUERIES):
        url = presign("GET", f"ws://{HOST}/dev?{query}", Credentials(ACCESS_KEY, SECRET_KEY), scope)
        sent = url.partition("?")[2]
        assert sent.startswith(f"{query}&X-Amz-Algorithm=")
        check.verify(HttpRequest("GET", "/dev", sent, (("host", HOST),)), time.time())
