"""Which authorities a function trusts, and that only a TLS connection loads what TLS needs."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest

from sluice.http.tls import client_context
from tests.sluice.http.served_connections import served

if TYPE_CHECKING:
    import socket

    from tests.sluice.certificate_authority import CertificateAuthority

SHARED = Path(__file__).parents[3] / "layers/shared/python"
WATCHED = {
    "ssl", "certifi", "sluice.http.tls", "encodings.idna", "http.client", "email",
    "typing_extensions",
}  # fmt: skip
TLS = {"ssl", "sluice.http.tls"}


def loaded_by(program: str, *arguments: str, **environ: str) -> set[str]:
    """Which modules of WATCHED a new process loads for a program."""
    command = ["import json, sys", program, "print(json.dumps(list(sys.modules)))"]
    printed = subprocess.check_output(
        [sys.executable, "-c", "\n".join(command), *arguments],
        env={"PYTHONPATH": str(SHARED), **environ},
    )
    return WATCHED.intersection(json.loads(printed))


def test_certificates_and_host_names_are_verified() -> None:
    context = client_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_exactly_certifis_authorities_are_trusted() -> None:
    ours = client_context().get_ca_certs(binary_form=True)
    theirs = ssl.create_default_context(cafile=certifi.where()).get_ca_certs(binary_form=True)
    assert sorted(ours) == sorted(theirs) != []


def test_given_authorities_are_trusted_next_to_certifis(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    added = client_context(str(authority.file)).get_ca_certs(binary_form=True)
    public = client_context().get_ca_certs(binary_form=True)
    assert len(added) == len(public) + 1
    assert set(added) > set(public)
    assert client_context(str(tmp_path)).verify_mode == ssl.CERT_REQUIRED  # a folder


def test_context_is_made_once_for_each_file(authority: CertificateAuthority) -> None:
    file = str(authority.file)
    assert client_context(file) is client_context(file) is not client_context()


def test_file_without_certificates_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        client_context(str(tmp_path / "missing.pem"))
    (tmp_path / "other.pem").write_text("no certificate\n")
    with pytest.raises(ssl.SSLError):
        client_context(str(tmp_path / "other.pem"))


def test_certifis_file_is_found_without_an_import_and_whatever_the_environment_says(
    authority: CertificateAuthority,
) -> None:
    program = (
        "from sluice.http.tls import client_context\n"
        "assert len(client_context().get_ca_certs()) > 10"
    )
    assert loaded_by(program) == TLS
    file = str(authority.file)
    environ = {"SSL_CERT_FILE": file, "REQUESTS_CA_BUNDLE": file, "PATH": os.environ["PATH"]}
    assert loaded_by(program, **environ) == TLS


def test_missing_certifi_is_named(tmp_path: Path) -> None:
    program = (
        "from sluice.http.tls import client_context\n"
        "sys.path[:] = [sys.argv[1]]\n"
        "try: client_context()\n"
        "except ModuleNotFoundError as error: assert error.name == 'certifi'\n"
        "else: sys.exit('no error')"
    )
    assert loaded_by(program, str(tmp_path)) == TLS


def test_connection_without_tls_loads_nothing_for_it() -> None:
    program = (
        "import sluice.http.connection as c\n"
        "connection = c.HttpConnection(c.Origin('http', '127.0.0.1', int(sys.argv[1])))\n"
        "connection.open(20.0)\n"
        "connection.request('GET', '/', {}, b'', 1e9, 20.0)\n"
        "connection.receive(20.0)\n"
        "connection.close()"
    )
    with served(lambda connection: connection.sendall(connection.recv(1))) as (_, port):
        assert loaded_by(program, str(port)) == set()


def test_tls_is_loaded_by_an_open_connection(authority: CertificateAuthority) -> None:
    context = authority.serving("127.0.0.1")

    def script(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.recv(1)

    program = (
        "import sluice.http.connection as c\n"
        "origin = c.Origin('https', '127.0.0.1', int(sys.argv[1]))\n"
        "connection = c.HttpConnection(origin, None, sys.argv[2])\n"
        "assert 'ssl' not in sys.modules\n"
        "connection.open(20.0)\n"
        "connection.close()"
    )
    with served(script) as (_, port):
        assert loaded_by(program, str(port), str(authority.file)) == TLS


def test_connection_that_is_refused_loads_nothing_of_tls() -> None:
    program = (
        "import sluice.http.connection as c\n"
        "try: c.HttpConnection(c.Origin('https', 'x' * 64 + '.invalid', 1)).open(20.0)\n"
        "except (OSError, UnicodeError): pass"
    )
    assert loaded_by(program) == set()
