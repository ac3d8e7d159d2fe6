"""What a deployed function talks to, on loopback and over TLS 1.3: its provider, SSM, DynamoDB."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from bench.traffic.aws_endpoints import aws_endpoints
from bench.traffic.server_process import tls_1_3
from bench.traffic.timed_upstream import timed_upstream
from tests.sluice.certificate_authority import CertificateAuthority

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
PROVIDER_KEY, CLIENT_KEY = "sk-upstream-as-deployed", "sk-client-as-deployed"
PROVIDER_PARAMETER, CLIENT_PARAMETER = "/sluice/dev/openai-api-key", "/sluice/dev/forward-key"


@dataclass(frozen=True, slots=True)
class Cloud:
    """aws, provider: URLs. server: a context for further servers.

    authority: the certificate that signed all of theirs. bundle: the public authorities and it,
    for clients that read one file.
    """

    aws: str
    provider: str
    server: ssl.SSLContext
    authority: Path
    bundle: Path


@contextmanager
def cloud(folder: Path) -> Iterator[Cloud]:
    """Make an authority in `folder`; run the servers."""
    authority = CertificateAuthority(folder)
    authority.serving(HOST)  # it writes the file
    certificate = str(folder / "server.pem")
    bundle = folder / "bundle.pem"
    bundle.write_bytes(Path(certifi.where()).read_bytes() + authority.file.read_bytes())
    parameters = {PROVIDER_PARAMETER: PROVIDER_KEY, CLIENT_PARAMETER: CLIENT_KEY}
    with (
        aws_endpoints(parameters, certificate) as aws_port,
        timed_upstream(PROVIDER_KEY, certificate) as provider_port,
    ):
        yield Cloud(
            f"https://{HOST}:{aws_port}",
            f"https://{HOST}:{provider_port}/v1",
            tls_1_3(certificate),
            authority.file,
            bundle,
        )
