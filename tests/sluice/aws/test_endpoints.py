"""Endpoints judged by botocore's list of all regions."""

from __future__ import annotations

import pytest
from botocore.session import Session

from sluice.aws.endpoints import endpoint_of
from sluice.aws.errors import AwsMisconfigured


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("service", ["dynamodb", "ssm"])
def test_endpoint_of_every_region_is_botocores(service: str) -> None:
    session = Session()
    regions = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions(service, partition)
    ]
    assert {"us-east-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1"} < set(regions)
    for region in regions:
        client = session.create_client(service, region)
        url = f"{client.meta.endpoint_url}/"
        assert endpoint_of(service, {"AWS_REGION": region}) == (url, region)


def test_own_endpoint_of_a_service_wins_over_that_of_all() -> None:
    environ = {"AWS_REGION": "r", "AWS_ENDPOINT_URL": "http://all:1"}
    assert endpoint_of("ssm", environ) == ("http://all:1/", "r")
    environ["AWS_ENDPOINT_URL_SSM"] = "http://own:2/path/"
    assert endpoint_of("ssm", environ) == ("http://own:2/path/", "r")
    assert endpoint_of("dynamodb", environ) == ("http://all:1/", "r")


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({}, "AWS_REGION is missing"),
        ({"AWS_REGION": "no region"}, "AWS_REGION is invalid"),
        ({"AWS_REGION": "r", "AWS_ENDPOINT_URL": "localhost"}, "AWS_ENDPOINT_URL is invalid"),
        ({"AWS_REGION": "r", "AWS_ENDPOINT_URL_SSM": "http://[::1"}, "_SSM is invalid"),
    ],
)
def test_environment_without_an_endpoint_is_named(environ: dict[str, str], reason: str) -> None:
    with pytest.raises(AwsMisconfigured, match=reason):
        endpoint_of("ssm", environ)
