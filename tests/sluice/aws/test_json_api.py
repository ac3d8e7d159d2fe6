"""Calls over real sockets: what is sent, what is sent again, and what the caller learns."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sluice.aws.errors import AwsError, AwsMisconfigured, AwsRefused, AwsUnreachable
from sluice.aws.json_api import JsonApi, Limits
from sluice.aws.json_protocol import Service
from tests.scripted_upstream import (
    ScriptedUpstream,
    UpstreamRequest,
    hangs_up,
    holds_after,
    one_after_another,
    refused_url,
    replies,
    scripted_upstream,
    sends,
)
from tests.sluice.aws.aws_environment import environ_of
from tests.sluice.clocks import HandClock, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sluice.certificate_authority import CertificateAuthority

SERVICE = Service("dynamodb", "DynamoDB_20120810", "1.0")
LIMITS = Limits(connect_s=5, reply_s=5, total_s=10, attempts=3)
THROTTLED = replies(400, {"__type": "a#ThrottlingException"})
FAILED = replies(500, {"__type": "a#InternalServerError"})
OK = replies(200, {"a": 1})


class Asked:
    """An API at `upstream`, with its pauses recorded and not waited for."""

    def __init__(self, endpoint: str, limits: Limits = LIMITS, random: float = 1.0) -> None:
        self.environ = environ_of(endpoint)
        self.clock = HandClock()
        self.pauses: list[float] = []
        self.api = JsonApi(
            SERVICE,
            self.environ,
            limits,
            clock=self.clock,
            random=lambda: random,
            sleep=self.pauses.append,
        )

    def call(self, *, may_repeat: bool = True) -> dict[str, Any]:
        return self.api.call("GetItem", {"Key": {"id": {"S": "ä"}}}, may_repeat=may_repeat)

    def failure(self, *, may_repeat: bool = True) -> AwsError:
        with pytest.raises(AwsError) as caught:
            self.call(may_repeat=may_repeat)
        return caught.value

    def close(self) -> None:
        self.api.close()


@pytest.fixture
def asked(upstream: ScriptedUpstream) -> Iterator[Asked]:
    upstream.script = OK
    with closing(Asked(upstream.url)) as made:
        yield made


def signature(request: UpstreamRequest, access_key: str, token: str) -> str:
    url = f"http://{request.headers['host']}{request.target}"
    reference = AWSRequest("POST", url, data=request.body)
    for name in (
        request.headers["authorization"].partition("SignedHeaders=")[2].split(",")[0].split(";")
    ):
        reference.headers[name] = request.headers[name]
    reference.context["timestamp"] = request.headers["x-amz-date"]
    auth = SigV4Auth(Credentials(access_key, "secret", token), "dynamodb", "eu-west-1")
    to_sign = auth.string_to_sign(reference, auth.canonical_request(reference))
    return str(auth.signature(to_sign, reference))


def test_each_request_is_signed_with_the_credentials_of_the_moment(
    upstream: ScriptedUpstream, asked: Asked
) -> None:
    used = [("AKID", "token"), ("AKID2", "token2")]
    for access_key, token in used:
        asked.environ |= {"AWS_ACCESS_KEY_ID": access_key, "AWS_SESSION_TOKEN": token}
        assert asked.call() == {"a": 1}
    for request, (access_key, token) in zip(upstream.requests, used, strict=True):
        assert (request.method, request.target) == ("POST", "/v1/")
        assert request.headers["x-amz-security-token"] == token
        authorization = request.headers["authorization"]
        assert f"Credential={access_key}/20231114/eu-west-1/dynamodb/" in authorization
        assert authorization.endswith(f"Signature={signature(request, access_key, token)}")


def test_clock_is_corrected_once_and_for_later_requests(
    upstream: ScriptedUpstream, asked: Asked
) -> None:
    skewed = replies(
        400,
        {"__type": "a#InvalidSignatureException", "message": "Signature expired"},
        Date="Wed, 15 Nov 2023 00:00:00 GMT",
    )
    upstream.script = one_after_another(skewed, OK)
    asked.call()
    asked.clock.now += 60
    asked.call()
    signed_at = [request.headers["x-amz-date"] for request in upstream.requests]
    assert signed_at == ["20231114T221320Z", "20231115T000000Z", "20231115T000100Z"]
    upstream.requests.clear()
    upstream.script = replies(
        400, {"__type": "RequestTimeTooSkewed"}, Date="Thu, 16 Nov 2023 00:00:00 GMT"
    )
    asked.failure(may_repeat=False)
    assert len(upstream.requests) == 2
    assert asked.pauses == []


def test_temporary_failures_are_retried_after_pauses(
    upstream: ScriptedUpstream, asked: Asked
) -> None:
    for first, second in ((THROTTLED, FAILED), (hangs_up, sends(b"<html>", status=503))):
        asked.pauses.clear()
        upstream.script = one_after_another(first, second, OK)
        assert asked.call() == {"a": 1}
        assert asked.pauses == [0.05, 0.1]


def test_attempts_are_limited(upstream: ScriptedUpstream, asked: Asked) -> None:
    upstream.script = THROTTLED
    assert asked.failure().code == "ThrottlingException"
    assert len(upstream.requests) == 3


def test_pause_that_would_end_too_late_is_not_begun(upstream: ScriptedUpstream) -> None:
    upstream.script = THROTTLED
    with closing(Asked(upstream.url, random=1000.0)) as asked:
        assert isinstance(asked.failure(), AwsRefused)
        assert asked.pauses == []


def test_write_that_may_be_done_is_not_sent_again(upstream: ScriptedUpstream, asked: Asked) -> None:
    for script in (FAILED, hangs_up, replies(200, [])):
        upstream.requests.clear()
        upstream.script = script
        assert asked.failure(may_repeat=False).may_be_done
        assert len(upstream.requests) == 1
    upstream.script = one_after_another(THROTTLED, OK)
    assert asked.call(may_repeat=False) == {"a": 1}


def test_kept_connection_that_was_closed_does_not_repeat_a_write(
    upstream: ScriptedUpstream, asked: Asked
) -> None:
    asked.call()
    upstream.script = one_after_another(hangs_up, OK)
    assert asked.failure(may_repeat=False).code == "NoReply"
    assert asked.call() == {"a": 1}
    asked.clock.now += 21  # longer than a connection may rest
    assert asked.call(may_repeat=False) == {"a": 1}


def test_silent_endpoint_is_given_up(upstream: ScriptedUpstream) -> None:
    upstream.script = holds_after()
    with closing(Asked(upstream.url, LIMITS._replace(reply_s=0.01, attempts=2))) as asked:
        error = asked.failure()
    assert (type(error), error.code, error.may_be_done) == (AwsUnreachable, "TimedOut", True)
    until(lambda: len(upstream.requests) == 2)


def test_endpoint_that_cannot_be_reached_has_done_nothing() -> None:
    with closing(Asked(refused_url())) as asked:
        error = asked.failure(may_repeat=False)
    assert (error.code, error.may_be_done, error.status) == ("CannotConnect", False, 0)
    assert asked.pauses == [0.05, 0.1]


def test_invalid_environment_is_named_without_its_values(
    upstream: ScriptedUpstream, asked: Asked
) -> None:
    good = dict(asked.environ)
    for change, reason in (
        ({"AWS_SECRET_ACCESS_KEY": None}, "AWS_SECRET_ACCESS_KEY is missing"),
        ({"AWS_REGION": ""}, "AWS_REGION is missing"),
        ({"AWS_SESSION_TOKEN": "a\nb"}, "the credentials cannot be sent"),
    ):
        asked.environ.update(good)
        for name, value in change.items():
            asked.environ.pop(name) if value is None else asked.environ.update({name: value})
        error = asked.failure()
        assert (type(error), str(error)) == (AwsMisconfigured, reason)
    assert upstream.requests == []


def test_further_authorities_are_trusted_by_the_first_variable_that_names_some(
    authority: CertificateAuthority,
) -> None:
    with scripted_upstream(authority.serving("127.0.0.1")) as upstream:
        upstream.script = OK
        environ = environ_of(upstream.url.replace("http:", "https:"))
        for variable in ("", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            named = {"AWS_CA_BUNDLE": "", variable: str(authority.file)} if variable else {}
            with closing(JsonApi(SERVICE, {**environ, **named}, LIMITS, sleep=print)) as api:
                if variable:
                    assert api.call("GetItem", {}, may_repeat=True) == {"a": 1}
                else:
                    with pytest.raises(AwsUnreachable, match="UntrustedCertificate"):
                        api.call("GetItem", {}, may_repeat=True)
