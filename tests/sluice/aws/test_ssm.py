"""Parameters judged by boto3 and by moto's server."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from sluice.aws.errors import AwsRefused, AwsUnreachable
from sluice.aws.json_api import JsonApi
from sluice.aws.ssm import LIMITS, SSM, read_parameters
from tests.scripted_upstream import ScriptedUpstream, replies
from tests.sluice.aws.aws_environment import environ_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api(upstream: ScriptedUpstream) -> Iterator[JsonApi]:
    with closing(JsonApi(SSM, environ_of(upstream.url), LIMITS)) as made:
        yield made


def ssm_client(endpoint: str) -> Any:
    keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}
    return boto3.client("ssm", endpoint_url=endpoint, region_name="eu-west-1", **keys)


def test_request_is_boto3s(upstream: ScriptedUpstream, api: JsonApi) -> None:
    upstream.script = replies(200, {"Parameters": [{"Name": "/a", "Value": "v"}]})
    assert read_parameters(api, ["/a", "/b"]) == {"/a": "v"}
    with closing(ssm_client(upstream.url)) as client:
        client.get_parameters(Names=["/a", "/b"], WithDecryption=True)
    sent, reference = upstream.requests
    assert sent.document == reference.document
    for header in ("x-amz-target", "content-type"):
        assert sent.headers[header] == reference.headers[header]


def test_ten_names_are_read_by_one_request(upstream: ScriptedUpstream, api: JsonApi) -> None:
    upstream.script = replies(200, {"Parameters": []})
    names = [f"/{number}" for number in range(21)]
    assert read_parameters(api, names) == {}
    assert [request.document["Names"] for request in upstream.requests] == [
        names[:10],
        names[10:20],
        names[20:],
    ]


def test_reply_of_another_form_is_an_error(upstream: ScriptedUpstream, api: JsonApi) -> None:
    wrong: list[Any] = [{}, {"Parameters": [{}]}, {"Parameters": None}]
    for document in wrong:
        upstream.script = replies(200, document)
        with pytest.raises(AwsUnreachable, match="InvalidReply"):
            read_parameters(api, ["/a"])


def test_refusal_has_awss_code(upstream: ScriptedUpstream, api: JsonApi) -> None:
    upstream.script = replies(400, {"__type": "AccessDeniedException"})
    with pytest.raises(AwsRefused, match="AccessDeniedException"):
        read_parameters(api, ["/a"])


def test_secure_strings_are_decrypted_and_missing_ones_left_out(moto_url: str) -> None:
    with (
        closing(ssm_client(moto_url)) as client,
        closing(JsonApi(SSM, environ_of(moto_url), LIMITS)) as api,
    ):
        client.put_parameter(Name="/dev/key", Value="sk-1", Type="SecureString")
        assert read_parameters(api, ["/dev/key", "/dev/none"]) == {"/dev/key": "sk-1"}
        client.delete_parameter(Name="/dev/key")
