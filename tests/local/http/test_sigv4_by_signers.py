"""Requests with odd queries by many signers: verified, unless they change on the way."""

from __future__ import annotations

import time

from local.http.requests import HttpRequest
from local.http.sigv4_verification import SignatureCheck, SignatureRejectedError
from local.project.environment import Credentials
from tests.sigv4_signers import (
    ACCESS_KEY,
    AMBIGUOUS_QUERIES,
    ODD_QUERIES,
    REGION,
    SECRET_KEY,
    SERVICES,
    SignedRequest,
    signed_requests,
)

KEYS = Credentials(ACCESS_KEY, SECRET_KEY)
CHECKS = {service: SignatureCheck(KEYS, service, REGION) for service in SERVICES}


def is_accepted(signed: SignedRequest, added: str = "") -> bool:
    path, _, query = signed.target.partition("?")
    request = HttpRequest("GET", path, query + added, tuple(signed.headers.items()))
    try:
        return CHECKS[signed.service].verify(request, time.time()) == ACCESS_KEY
    except SignatureRejectedError as error:
        return error.error_type != "InvalidSignatureException"


def test_signature_of_each_signer_is_valid_for_its_query_alone() -> None:
    signed = signed_requests((*ODD_QUERIES, *AMBIGUOUS_QUERIES), "127.0.0.1:3000", "/dev")
    assert [request for request in signed if not is_accepted(request)] == []
    assert [request for request in signed if is_accepted(request, "&b=1")] == []
