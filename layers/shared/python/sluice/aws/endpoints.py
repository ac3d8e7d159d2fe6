"""Where AWS's APIs are (no I/O).

https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from __future__ import annotations

from sluice.aws.errors import AwsMisconfigured
from sluice.http.urls import split_url
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIX = "amazonaws.com"
SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
}
"""Domains of the partitions that have their own, by the beginning of their regions' names."""


class Endpoint(NamedTuple):
    """Where a service is, and the region to sign for."""

    url: str
    region: str


def endpoint_of(service: str, environ: Mapping[str, str]) -> Endpoint:
    """The endpoint in the function's region, unless the environment names another one.

    It is in AWS_ENDPOINT_URL_{SERVICE} or AWS_ENDPOINT_URL. Raises AwsMisconfigured.
    """
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise AwsMisconfigured("AWS_REGION is missing")
    for variable in (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL"):
        if environ.get(variable):
            return Endpoint(_checked(environ[variable], variable), region)
    suffix = next((own for start, own in SUFFIXES.items() if region.startswith(start)), SUFFIX)
    return Endpoint(_checked(f"https://{service}.{region}.{suffix}", "AWS_REGION"), region)


def _checked(url: str, variable: str) -> str:
    try:
        split_url(url)
    except ValueError:
        raise AwsMisconfigured(f"{variable} is invalid") from None
    return url if url.endswith("/") else f"{url}/"
