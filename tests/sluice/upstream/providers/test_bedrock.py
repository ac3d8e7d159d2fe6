"""Amazon Bedrock: botocore signs the same request with the same signature."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sluice.errors import SettingsError
from sluice.settings import read_settings
from sluice.upstream.call import ModelCall
from sluice.upstream.providers import UpstreamRequest
from sluice.upstream.providers.bedrock import (
    BedrockProvider,
    SigningScope,
    scope_of_host,
    signing_scope,
)
from tests.sluice.upstream.providers.asking import KEPT, a_call

RUNTIME = "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1"
MANTLE = "https://bedrock-mantle.eu-west-1.api.aws/v1"
NOW = datetime(2026, 11, 20, 8, 0, 0, tzinfo=UTC).timestamp()
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "SESSIONTOKEN",
}
WEST = SigningScope("us-west-2", "bedrock")


def scope(environ: dict[str, str], base_url: str) -> SigningScope:
    return signing_scope(read_settings(environ), base_url, environ.get("AWS_REGION", ""))


def provider_at(base_url: str, environ: dict[str, str]) -> BedrockProvider:
    return BedrockProvider(base_url, scope(environ, base_url), environ, lambda: NOW)


def request_of(call: ModelCall, base_url: str = RUNTIME) -> UpstreamRequest:
    return provider_at(base_url, ENVIRON).request(call, None)


def signed_headers(request: UpstreamRequest) -> list[str]:
    names = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    return names.split(";")


def botocores_authorization(request: UpstreamRequest, signed: SigningScope = WEST) -> str:
    names = {*signed_headers(request)} - {"host", "x-amz-date", "x-amz-security-token"}
    given = {name: request.headers[name] for name in names}
    url, _, query = request.url.partition("?")
    judged = AWSRequest(request.method, url, headers=given, data=request.body)
    judged.params = parse_qsl(query, keep_blank_values=True)
    judged.context["timestamp"] = request.headers["x-amz-date"]
    judged.headers["X-Amz-Date"] = request.headers["x-amz-date"]
    judged.headers["X-Amz-Security-Token"] = ENVIRON["AWS_SESSION_TOKEN"]
    auth = SigV4Auth(Credentials(*ENVIRON.values()), signed.service, signed.region)
    signature = auth.signature(auth.string_to_sign(judged, auth.canonical_request(judged)), judged)
    return (
        f"AWS4-HMAC-SHA256 Credential={auth.scope(judged)}, "
        f"SignedHeaders={auth.signed_headers(auth.headers_to_sign(judged))}, Signature={signature}"
    )


@pytest.mark.parametrize(
    ("base_url", "signed"),
    [(RUNTIME, WEST), (MANTLE, SigningScope("eu-west-1", "bedrock-mantle"))],
)
@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", "/chat/completions", "", '{"model": "openai.gpt-oss-20b-1:0", "é": 1}'),
        ("GET", "/models/openai.gpt-oss-20b-1%3A0", "", ""),
        ("GET", "/responses/r", "b=2&a=1%20", ""),
    ],
)
def test_signature_is_botocores(
    base_url: str, signed: SigningScope, method: str, path: str, query: str, body: str
) -> None:
    call = a_call(path, body.encode(), method=method, query=query)
    request = request_of(call, base_url)
    assert request.url == f"{base_url}{path}" + (f"?{query}" if query else "")
    assert request.headers["authorization"] == botocores_authorization(request, signed)
    assert request.headers["x-amz-security-token"] == "SESSIONTOKEN"
    assert request.body is call.body


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("/models/gpt-oss-20b-1%3a0", "/models/gpt-oss-20b-1%3A0"),
        ("/models/a%2Db%7e", "/models/a-b~"),
        ("/models?filter[a]=b|c", "/models?filter%5Ba%5D=b%7Cc"),
        ("/models?a=é", "/models?a=%C3%A9"),
        ("/models?after=x:y&a+b", "/models?after=x:y&a%20b"),
    ],
)
def test_url_is_signed_as_it_is_sent(asked: str, sent: str) -> None:
    path, _, query = asked.partition("?")
    request = request_of(a_call(path, b"", method="GET", query=query))
    assert request.url == f"{RUNTIME}{sent}"
    assert requests.Request("GET", request.url).prepare().url == request.url
    assert request.headers["authorization"] == botocores_authorization(request)


def test_headers_are_those_of_the_call_and_the_signature() -> None:
    headers = request_of(a_call()).headers
    added = {"accept-encoding", "authorization", "x-amz-date", "x-amz-security-token"}
    assert headers.keys() == KEPT.keys() | added
    assert {name: headers[name] for name in KEPT} == KEPT


def test_guardrails_are_sent_and_signed() -> None:
    call = a_call()
    guardrail = {"x-amzn-bedrock-guardrailidentifier": "gr-1"}
    request = request_of(call._replace(headers={**call.headers, **guardrail}))
    assert request.headers["x-amzn-bedrock-guardrailidentifier"] == "gr-1"
    assert "x-amzn-bedrock-guardrailidentifier" in signed_headers(request)
    assert request.headers["authorization"] == botocores_authorization(request)


def test_content_type_is_signed_only_if_there_is_one() -> None:
    names = ["host", "x-amz-date", "x-amz-security-token"]
    assert signed_headers(request_of(a_call())) == ["content-type", *names]
    assert signed_headers(request_of(ModelCall("GET", "/models", "", {}, b"", None))) == names


def test_key_is_sent_as_a_bearer_token_and_nothing_is_signed() -> None:
    headers = provider_at(RUNTIME, {}).request(a_call(), "bedrock-key").headers
    assert headers["authorization"] == "Bearer bedrock-key"
    assert not [name for name in headers if name.startswith("x-amz-")]


def test_credentials_are_read_for_each_request() -> None:
    environ = dict(ENVIRON)
    provider = provider_at(RUNTIME, environ)
    provider.request(a_call(), None)
    environ["AWS_SESSION_TOKEN"] = "RENEWED"
    assert provider.request(a_call(), None).headers["x-amz-security-token"] == "RENEWED"


def test_missing_credentials_are_named() -> None:
    with pytest.raises(SettingsError) as caught:
        provider_at(RUNTIME, {}).request(a_call(), None)
    assert caught.value.variable == "AWS_ACCESS_KEY_ID"


@pytest.mark.parametrize(
    ("host", "signed"),
    [
        ("bedrock-runtime.us-east-1.amazonaws.com", ("us-east-1", "bedrock")),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", ("us-gov-west-1", "bedrock")),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", ("cn-north-1", "bedrock")),
        ("vpce-1.bedrock-runtime.eu-west-3.vpce.amazonaws.com", ("eu-west-3", "bedrock")),
        ("bedrock-runtime.eusc-de-east-1.amazonaws.eu", ("eusc-de-east-1", "bedrock")),
        ("bedrock-mantle.ap-northeast-1.api.aws", ("ap-northeast-1", "bedrock-mantle")),
        ("bedrock-runtime.us-east-1.amazonaws.com.evil.example", None),
        ("bedrock-runtime.evil.example", None),
        ("bedrock-agent.us-east-1.amazonaws.com", None),
        ("notbedrock-runtime.us-east-1.amazonaws.com", None),
        ("api.openai.com", None),
    ],
)
def test_scope_of_a_host(host: str, signed: tuple[str, str] | None) -> None:
    assert scope_of_host(f"https://{host}/openai/v1") == signed


def test_settings_give_the_scope_of_other_hosts() -> None:
    inside = "https://models.internal.example/v1"
    environ = {"AWS_REGION": "us-east-1"}
    assert scope(environ, inside) == ("us-east-1", "bedrock")
    environ |= {"UPSTREAM_AWS_REGION": "eu-west-1", "UPSTREAM_AWS_SERVICE": "execute-api"}
    assert scope(environ, inside) == scope(environ, RUNTIME) == ("eu-west-1", "execute-api")
    with pytest.raises(SettingsError) as caught:
        scope({}, inside)
    assert caught.value.variable == "UPSTREAM_AWS_REGION"


def test_provider_answers_no_call_itself() -> None:
    provider = provider_at(RUNTIME, ENVIRON)
    assert provider.own_answer(a_call("/models", method="GET")) is None
