"""Signatures compared with botocore's, and with the vectors of @connections."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from sluice.aws.sigv4 import Credentials, Scope, canonical_request, presign, sign, string_to_sign

VECTORS = json.loads(
    (Path(__file__).parents[2] / "data/connections_sigv4.json").read_text(encoding="utf-8")
)["vectors"]
CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "SESSIONTOKEN")
NOW = datetime(2026, 11, 20, 8, 0, 0, tzinfo=UTC).timestamp()
SCOPE = Scope("us-east-1", "execute-api", NOW)
URL = "https://abc.execute-api.us-east-1.amazonaws.com"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["op"])
def test_connections_vector(vector: dict[str, Any]) -> None:
    method, url, canonical = (vector[n] for n in ("method", "url", "canonical_request"))
    signed = {
        "host": url.split("/")[2],
        "x-amz-date": SCOPE.timestamp,
        "x-amz-security-token": "SESSIONTOKEN",
    }
    assert canonical_request(method, url, signed, canonical.rpartition("\n")[2]) == canonical
    assert string_to_sign(canonical, SCOPE) == vector["string_to_sign"]
    expected = {name: v for name, v in vector["headers"].items() if name != "Content-Length"}
    assert sign(method, url, vector["body"].encode(), CREDENTIALS, SCOPE) == expected


@given(
    path=st.lists(st.text("ab/.~@:%20é=", max_size=6)).map("/".join),
    query=st.lists(
        st.tuples(st.text("ab é/=~+", min_size=1, max_size=3), st.text("xy z%", max_size=3))
    ),
    body=st.binary(max_size=20),
)
def test_signature_is_botocores(path: str, query: list[tuple[str, str]], body: bytes) -> None:
    url = _url(path, query)
    ours = sign("POST", url, body, CREDENTIALS, SCOPE, {"X-Custom": "a  b"})
    request = AWSRequest("POST", url, headers={"X-Custom": "a  b"}, data=body)
    assert ours["Authorization"].endswith(f"Signature={_botocore_signature(request)}")


@given(
    query=st.lists(
        st.tuples(st.text("ab é", min_size=1, max_size=3), st.text("xy z%", max_size=3))
    ),
    expires=st.integers(1, 604_800),
)
def test_presigned_signature_is_botocores(query: list[tuple[str, str]], expires: int) -> None:
    url = _url("/prod", query)
    ours = presign("GET", url, CREDENTIALS, SCOPE, expires)
    request = AWSRequest("GET", ours.rpartition("&X-Amz-Signature=")[0])
    request.context["timestamp"] = SCOPE.timestamp
    auth = SigV4QueryAuth(_botocore_credentials(), "execute-api", "us-east-1", expires)
    signature = auth.signature(
        auth.string_to_sign(request, auth.canonical_request(request)), request
    )
    assert ours.rpartition("&X-Amz-Signature=")[2] == signature


def test_presigned_websocket_url_keeps_its_scheme_and_query() -> None:
    url = URL.replace("https", "wss") + "/dev?a=1"
    assert presign("GET", url, CREDENTIALS, SCOPE).startswith(f"{url}&X-Amz-Algorithm=")
    assert "&X-Amz-Expires=300&" in presign("GET", url, CREDENTIALS, SCOPE)


def test_presigned_url_is_valid_for_a_week_at_most() -> None:
    for expires in (0, 604_801):
        with pytest.raises(ValueError, match="expires_s"):
            presign("GET", "https://a/", CREDENTIALS, SCOPE, expires)


def test_given_payload_hash_is_signed_unchanged() -> None:
    headers = {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}
    one, two = (sign("POST", "https://a/", b, CREDENTIALS, SCOPE, headers) for b in (b"1", b"2"))
    assert one == two


def test_default_port_is_not_part_of_the_host() -> None:
    signatures = {
        url: sign("GET", url, b"", CREDENTIALS, SCOPE)["Authorization"]
        for url in ("https://a/", "https://a:443/", "https://a:8443/")
    }
    assert signatures["https://a/"] == signatures["https://a:443/"] != signatures["https://a:8443/"]


def test_secrets_are_not_in_the_repr() -> None:
    assert "wJalr" not in repr(CREDENTIALS)
    assert "SESSIONTOKEN" not in repr(CREDENTIALS)


def test_credentials_come_from_the_environment_with_or_without_a_token() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": ""}
    credentials = Credentials.from_environ(environ)
    assert credentials == Credentials("a", "s", None)
    assert sign("GET", URL, b"", credentials, SCOPE).keys() == {"X-Amz-Date", "Authorization"}
    assert "X-Amz-Security-Token" not in presign("GET", URL, credentials, SCOPE)


def _url(path: str, query: list[tuple[str, str]]) -> str:
    return f"{URL}/{quote(path)}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")


def _botocore_credentials() -> BotocoreCredentials:
    return BotocoreCredentials(*CREDENTIALS)


def _botocore_signature(request: AWSRequest) -> str:
    auth = SigV4Auth(_botocore_credentials(), "execute-api", "us-east-1")
    request.context["timestamp"] = SCOPE.timestamp
    request.headers["X-Amz-Date"] = SCOPE.timestamp
    request.headers["X-Amz-Security-Token"] = "SESSIONTOKEN"
    canonical = auth.canonical_request(request)
    return str(auth.signature(auth.string_to_sign(request, canonical), request))
