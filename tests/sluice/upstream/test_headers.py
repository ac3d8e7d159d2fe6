"""Which headers pass the gateway, in both directions."""

from __future__ import annotations

import json

import pytest

from sluice.upstream.headers import (
    MAX_REPLY_HEADER_BYTES,
    MAX_REPLY_HEADERS,
    reply_headers,
    request_headers,
)

HOP_BY_HOP = """
connection expect keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer
transfer-encoding upgrade
"""
KEPT_FROM_THE_PROVIDER = """
authorization api-key x-api-key cookie host origin referer
forwarded via x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip true-client-ip
cf-connecting-ip cloudfront-viewer-country
x-amz-date x-amz-security-token x-amz-content-sha256 x-amzn-trace-id
x-amzn-bedrock-guardrailidentifier
sec-fetch-mode sec-ch-ua access-control-request-method
accept-encoding content-length if-none-match if-modified-since
openai-organization openai-project x-goog-user-project x-goog-api-key x-litellm-api-key
x-original-url x-original-uri x-original-host x-rewrite-url x-http-method-override x-http-method
x-method-override x-http-host-override x-host x-envoy-original-path x-accel-redirect x-remote-user
x-script-name client-ip x-client-ip
content_length transfer_encoding x_forwarded_for openai_organization x.title x|title x-é
"""
SENT_TO_THE_PROVIDER = """
accept accept-language content-encoding content-type idempotency-key if-match openai-beta
range user-agent x-request-id x-stainless-lang
x-stainless-retry-count x-title http-referer anthropic-version x-amazing cfx section
"""
KEPT_FROM_THE_CLIENT = """
access-control-allow-origin access-control-allow-credentials alt-svc cf-ray cf-cache-status
content-length date nel openai-organization openai-project report-to server set-cookie
strict-transport-security vary via www-authenticate x-amz-cf-id x-amzn-requestid x-amzn-errortype
"""
SENT_TO_THE_CLIENT = """
cache-control content-disposition content-encoding content-language content-range content-type etag
last-modified location openai-processing-ms openai-version apim-request-id azureml-model-session
retry-after retry-after-ms x-request-id x-should-retry x-ratelimit-limit-requests
x-ratelimit-remaining-tokens x-ratelimit-reset-tokens
"""


def test_provider_gets_no_header_that_is_for_the_gateway() -> None:
    for name in (HOP_BY_HOP + KEPT_FROM_THE_PROVIDER).split():
        assert request_headers({name: "v", "x-title": "t"}) == {"x-title": "t"}, name


def test_provider_gets_other_headers_unchanged() -> None:
    headers = dict.fromkeys(SENT_TO_THE_PROVIDER.split(), " v, é ")
    assert request_headers(headers) == headers


@pytest.mark.parametrize("named", ["x-hop", "close, X-Hop", " x-hop ,x-other", "keep-alive,X-HOP"])
def test_header_that_connection_names_stays_on_that_connection(named: str) -> None:
    headers = {"connection": named, "x-hop": "1", "x-stays": "2"}
    assert request_headers(headers) == {"x-stays": "2"}
    assert reply_headers(headers) == {"x-stays": "2"}


def test_prefix_lets_the_headers_of_one_provider_pass() -> None:
    own = {"x-amzn-bedrock-guardrailidentifier": "g"}
    assert request_headers({**own, "x-amzn-trace-id": "t"}, ("x-amzn-bedrock-",)) == own


def test_client_gets_no_header_that_is_about_the_provider() -> None:
    for name in (HOP_BY_HOP + KEPT_FROM_THE_CLIENT).split():
        for spelling in (name, name.title()):
            assert reply_headers({spelling: "v", "X-Title": "t"}) == {"x-title": "t"}, spelling


def test_client_gets_other_headers_with_names_in_lower_case() -> None:
    names = SENT_TO_THE_CLIENT.split()
    assert reply_headers({name.title(): "V, 1" for name in names}) == dict.fromkeys(names, "V, 1")


def test_headers_that_lambda_would_not_take_are_left_out_and_the_important_ones_stay() -> None:
    important = {"content-type": "text/event-stream", "retry-after": "3", "x-request-id": "r"}
    limits = {"x-ratelimit-remaining-tokens": "7"}
    for others in (
        {"x-a": "a" * 17_000},
        {f"x-{number}": "v" for number in range(500)},
        {f"x-{number}": "\u00e9" * 500 for number in range(9)},
        {f"x-{number}": '"\\' * 500 for number in range(9)},
    ):
        passed = reply_headers({**others, **limits, **important})
        assert important.items() | limits.items() <= passed.items()
        assert len(passed) <= MAX_REPLY_HEADERS
        assert len(json.dumps(passed)) <= MAX_REPLY_HEADER_BYTES
        assert len(passed) < len(others) + 4


def test_headers_of_usual_size_all_pass_in_their_order() -> None:
    headers = {f"x-{number}": "v" * 100 for number in range(40)}
    assert list(reply_headers(headers).items()) == list(headers.items())
