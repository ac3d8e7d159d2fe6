"""What a client is told of failures: what is wrong, and which setting to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.errors import UpstreamError, UpstreamRefused, UpstreamUnreachable
from sluice.http.errors import CONNECT, TimedOut
from sluice.settings import read_settings
from sluice.upstream.failures import transport_failure
from tests.scripted_upstream import ScriptedUpstream, refused_url, replies, sends
from tests.sluice.upstream.asking import one_attempt

if TYPE_CHECKING:
    from collections.abc import Callable

URLS: dict[str, Callable[[str], dict[str, str]]] = {
    "OPENAI_BASE_URL": lambda _url: {},
    "EXTRA_BASE_URL": lambda url: {"EXTRA_BASE_URL": url, "EXTRA_ROUTE_PREFIX": "/x"},
    "AZURE_OPENAI_ENDPOINT": lambda url: {"AZURE_OPENAI_ENDPOINT": url.removesuffix("/v1")},
}
"""What makes each variable say where the API is that is asked."""


@pytest.mark.parametrize("variable", URLS)
def test_errors_name_the_variable_that_says_where_the_api_is(
    upstream: ScriptedUpstream, variable: str
) -> None:
    for script in (replies(307, {}), replies(999, {}), sends(b"", status=101), None):
        url = upstream.url if script else refused_url()
        upstream.script = script or upstream.script
        asker = one_attempt(url, **URLS[variable](url))
        with pytest.raises(UpstreamError, match=rf"\b{variable}\b") as caught:
            asker.ask(target=next(iter(asker.others), None))
        assert caught.value.http_status == 502


@pytest.mark.parametrize("status", [304, 399, 600, 999])
def test_status_that_lambda_would_refuse_is_an_error_of_ours(
    upstream: ScriptedUpstream, status: int
) -> None:
    upstream.script = replies(status, {"error": {"message": "odd"}})
    with pytest.raises(UpstreamError, match=f"sent status {status}, which is neither") as caught:
        one_attempt(upstream.url).ask()
    assert caught.value.document()["type"] == "upstream_error"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("encoding", "body", "message"),
    [
        ("br", b"\x8b\x01\x80A", "status 400. The upstream compressed its answer with br."),
        ("zstd", b"\x28\xb5\x2f\xfd", "status 400. The upstream compressed its answer with zstd."),
        ("gzip", b"not", "status 400. The upstream's answer is not valid gzip."),
    ],
)
def test_error_that_cannot_be_decompressed_is_said_to_be_so(
    upstream: ScriptedUpstream, encoding: str, body: bytes, message: str
) -> None:
    upstream.script = sends(body, "application/json", 400, content_encoding=encoding)
    with pytest.raises(UpstreamRefused) as caught:
        one_attempt(upstream.url).ask()
    assert message in caught.value.document()["message"]
    assert caught.value.reply_status == 400
    assert caught.value.reply_body == b""
    assert "content-encoding" not in caught.value.reply_headers


def test_what_a_proxy_or_tls_says_is_passed_on(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(407, {})
    proxy = upstream.url.removesuffix("/v1")
    with pytest.raises(UpstreamUnreachable, match=r"refuses with status 407\. .*URL and PROXY are"):
        one_attempt("https://model.invalid/v1", PROXY=proxy).ask()
    with pytest.raises(UpstreamUnreachable, match=r"TLS failed: [a-z ]+\. Check"):
        one_attempt(upstream.url.replace("http:", "https:")).ask()


def test_timeout_of_connecting_names_its_setting() -> None:
    timeout = TimedOut(CONNECT, was_sent=False)
    error = transport_failure(
        timeout, read_settings({"UPSTREAM_CONNECT_TIMEOUT": "0.05"}), None, "X"
    )
    assert isinstance(error, UpstreamUnreachable)
    assert "for 0.05 s (UPSTREAM_CONNECT_TIMEOUT)" in error.message


UNKNOWN_MODELS = (
    (404, {"error": {"message": "The model `m-4.1` does not exist or you do not have access"}}),
    (404, {"error": {"message": 'model "m" not found, try pulling it first'}}),
    (404, {"object": "error", "message": "The model `m` does not exist.", "code": 404}),
    (400, {"object": "error", "message": "Invalid model: m", "type": "invalid_model"}),
    (400, {"error": {"message": "m is not a valid model ID", "code": 400}}),
    (400, {"error": {"message": "Model Not Exist", "type": "invalid_request_error"}}),
    (
        404,
        {
            "error": {
                "code": "404",
                "message": "The API deployment for this resource does not exist",
            }
        },
    ),
    (400, {"message": "The provided model identifier is invalid."}),
    (404, [{"error": {"message": "models/m is not found for API version v1main", "code": 404}}]),
    (404, {"error": {"message": "Unable to access model m.", "code": "model_not_available"}}),
    (400, {"error": {"message": "The model `m` has been decommissioned."}}),
)
OTHER_FAULTS = (
    (400, {"error": {"message": "Unsupported parameter: 'max_tokens' with this model."}}),
    (400, {"error": {"message": "This model's maximum context length is 8192 tokens."}}),
    (404, {"error": {"message": "No such file: file-1", "code": "not_found"}}),
    (429, {"error": {"message": "The model `m` is overloaded: capacity not found"}}),
)


REJECTED_KEYS = (
    (401, {"error": {"message": "Incorrect API key provided: sk-x."}}),
    (401, {"error": {"message": "No auth credentials found", "code": 401}}),
    (400, [{"error": {"message": "API key not valid. Please pass a valid API key."}}]),
)


def test_wrong_model_or_key_is_named_as_the_fault_with_the_setting(
    upstream: ScriptedUpstream,
) -> None:
    for faults, setting in (
        (UNKNOWN_MODELS, "OPENAI_MODEL"),
        (REJECTED_KEYS, "OPENAI_API_KEY"),
        (OTHER_FAULTS, ""),
    ):
        for status, document in faults:
            upstream.script = replies(status, document)
            with pytest.raises(UpstreamRefused) as caught:
                one_attempt(upstream.url).ask()
            for name in ("OPENAI_MODEL", "OPENAI_API_KEY"):
                assert (name in caught.value.message) is (name == setting), document
                assert name not in str(caught.value.document())  # the provider's own words
