"""Whom a function trusts, and that it loads what TLS needs for a TLS connection alone."""

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
from tests.sluice.certificate_authority import CertificateAuthority
from tests.sluice.http.served_connections import served

if TYPE_CHECKING:
    import socket

SHARED = Path(__file__).parents[3] / "layers/shared/python"
WATCHED = (
    "ssl",
    "certifi",
    "sluice.http.tls",
    "encodings.idna",
    "http.client",
    "email",
    "typing_extensions",
)


def loaded_after(program: str, *arguments: str, **environ: str) -> list[list[str]]:
    """Which modules of WATCHED a new process has loaded each time that it calls `report`."""
    beginning = (
        "import json, sys\n"
        f"def report(): print(json.dumps([n for n in {WATCHED} if n in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", beginning + program, *arguments],
        env={"PYTHONPATH": str(SHARED), **environ},
        capture_output=True,
        check=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_certificates_and_host_names_are_verified() -> None:
    context = client_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_certifis_authorities_are_trusted_and_no_others() -> None:
    ours = client_context()
    theirs = ssl.create_default_context(cafile=certifi.where())
    assert ours.get_ca_certs(binary_form=True)
    assert sorted(ours.get_ca_certs(binary_form=True)) == sorted(
        theirs.get_ca_certs(binary_form=True)
    )


def test_given_authority_takes_the_place_of_certifis(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    (trusted,) = client_context(str(authority.file)).get_ca_certs()
    assert trusted["subject"] == ((("commonName", "Test authority"),),)


def test_context_is_made_once_for_each_file(tmp_path: Path) -> None:
    file = str(CertificateAuthority(tmp_path).file)
    assert client_context(file) is client_context(file) is not client_context()


def test_file_that_is_missing_or_none_of_certificates_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        client_context(str(tmp_path / "missing.pem"))
    (tmp_path / "other.pem").write_text("no certificate\n")
    with pytest.raises(ssl.SSLError):
        client_context(str(tmp_path / "other.pem"))


def test_certifis_file_is_found_without_importing_it() -> None:
    program = (
        "from sluice.http.tls import client_context\n"
        "assert client_context().get_ca_certs()\n"
        "report()\n"
    )
    assert loaded_after(program) == [["ssl", "sluice.http.tls"]]


def test_certifi_that_is_missing_is_named(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from sluice.http.tls import client_context\n"
        "sys.path[:] = [sys.argv[1]]\n"
        "try: client_context()\n"
        "except ModuleNotFoundError as error: assert error.name == 'certifi'; report()\n"
    )
    assert loaded_after(program, str(tmp_path)) == [["ssl", "sluice.http.tls"]]


def test_connection_without_tls_loads_nothing_for_it() -> None:
    program = (
        "import sluice.http.connection as c\n"
        "report()\n"
        "connection = c.HttpConnection(c.Origin('http', '127.0.0.1', int(sys.argv[1])))\n"
        "connection.open(20.0)\n"
        "connection.request('GET', '/', {}, b'', 20.0)\n"
        "connection.receive(20.0)\n"
        "connection.close()\n"
        "report()\n"
    )
    with served(lambda connection: connection.sendall(connection.recv(1))) as (_, port):
        assert loaded_after(program, str(port)) == [[], []]


def test_tls_is_loaded_once_a_connection_is_being_made(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    context = authority.serving("127.0.0.1")

    def script(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.recv(1)

    program = (
        "import sluice.http.connection as c\n"
        "origin = c.Origin('https', '127.0.0.1', int(sys.argv[1]))\n"
        "connection = c.HttpConnection(origin, None, sys.argv[2])\n"
        "report()\n"
        "connection.open(20.0)\n"
        "connection.close()\n"
        "report()\n"
    )
    with served(script) as (_, port):
        found = loaded_after(program, str(port), str(authority.file))
    assert found == [[], ["ssl", "sluice.http.tls"]]


def test_nothing_of_tls_is_loaded_where_nobody_listens() -> None:
    """What is refused at once needs no authorities."""
    program = (
        "import sluice.http.connection as c\n"
        "try: c.HttpConnection(c.Origin('https', 'x' * 64 + '.invalid', 1)).open(20.0)\n"
        "except (OSError, UnicodeError): report()\n"
    )
    assert loaded_after(program) == [[]]


def test_environment_does_not_say_whom_to_trust(tmp_path: Path) -> None:
    file = str(CertificateAuthority(tmp_path).file)
    program = (
        "import os\n"
        "from sluice.http.tls import client_context\n"
        "assert len(client_context().get_ca_certs()) > 10\n"
        "report()\n"
    )
    environ = {"SSL_CERT_FILE": file, "REQUESTS_CA_BUNDLE": file, "PATH": os.environ["PATH"]}
    assert loaded_after(program, **environ) == [["ssl", "sluice.http.tls"]]
