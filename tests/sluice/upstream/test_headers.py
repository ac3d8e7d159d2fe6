"""Which headers go on, both ways, from tables."""

from __future__ import annotations

import pytest

from sluice.upstream.headers import reply_headers, request_headers

HOP_BY_HOP = (
    "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        *HOP_BY_HOP,
        # who asks, and with which key
        "authorization", "api-key", "x-api-key", "cookie", "host", "origin", "referer",
        # on which way
        "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
        "x-real-ip", "true-client-ip", "cf-connecting-ip", "cloudfront-viewer-country",
        # Lambda's and its signature's
        "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "x-amzn-trace-id",
        "x-amzn-bedrock-guardrailidentifier",
        # a browser's
        "sec-fetch-mode", "sec-ch-ua", "access-control-request-method",
        # those the gateway has words of its own for
        "accept-encoding", "content-length", "if-none-match", "if-modified-since",
    ],
)  # fmt: skip
def test_header_of_the_clients_own_stays_here(name: str) -> None:
    assert request_headers({name: "v", "x-title": "t"}) == {"x-title": "t"}


@pytest.mark.parametrize(
    "name",
    [
        "accept", "accept-language", "content-encoding", "content-type", "idempotency-key",
        "if-match", "openai-beta", "openai-organization", "openai-project", "range",
        "user-agent", "x-request-id", "x-stainless-lang", "x-stainless-retry-count", "x-title",
        "http-referer", "anthropic-version", "x-amazing", "cfx", "section",
    ],
)  # fmt: skip
def test_header_for_the_provider_goes_on_as_it_is(name: str) -> None:
    assert request_headers({name: " v, é "}) == {name: " v, é "}


@pytest.mark.parametrize("named", ["x-hop", "close, X-Hop", " x-hop ,x-other", "keep-alive,X-HOP"])
def test_header_that_connection_names_belongs_to_that_connection(named: str) -> None:
    headers = {"connection": named, "x-hop": "1", "x-stays": "2"}
    assert request_headers(headers) == {"x-stays": "2"}
    assert reply_headers(headers) == {"x-stays": "2"}


def test_names_of_a_provider_that_would_be_the_clients_go_to_that_provider_alone() -> None:
    headers = {"x-amzn-bedrock-guardrailidentifier": "g", "x-amzn-trace-id": "t"}
    own = {"x-amzn-bedrock-guardrailidentifier": "g"}
    assert request_headers(headers, "x-amzn-bedrock-") == own
    assert request_headers(headers) == {}


@pytest.mark.parametrize(
    "name",
    [
        *HOP_BY_HOP,
        "access-control-allow-origin", "access-control-allow-credentials", "alt-svc", "cf-ray",
        "cf-cache-status", "content-length", "date", "nel", "openai-organization",
        "openai-project", "report-to", "server", "set-cookie", "strict-transport-security",
        "vary", "via", "www-authenticate", "x-amz-cf-id", "x-amzn-requestid", "x-amzn-errortype",
    ],
)  # fmt: skip
@pytest.mark.parametrize("spelt", [str.lower, str.title])
def test_header_of_the_providers_own_stays_here(name: str, spelt: type[str]) -> None:
    assert reply_headers({spelt(name): "v", "X-Title": "t"}) == {"x-title": "t"}


@pytest.mark.parametrize(
    "name",
    [
        "cache-control", "content-disposition", "content-encoding", "content-language",
        "content-range", "content-type", "etag", "last-modified", "location",
        "openai-processing-ms", "openai-version", "apim-request-id", "azureml-model-session",
        "retry-after", "retry-after-ms", "x-request-id", "x-should-retry",
        "x-ratelimit-limit-requests", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
    ],
)  # fmt: skip
def test_header_for_the_client_goes_on_under_a_name_in_lower_case(name: str) -> None:
    assert reply_headers({name.title(): "V, 1"}) == {name: "V, 1"}
