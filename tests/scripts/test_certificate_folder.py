"""The folder of certificates, judged by OpenSSL: it must find the one that signed a server's."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest

from scripts.build_layers import add_certificate_folder
from scripts.certificate_folder import PEM, write_certificate_folder
from tests.sluice.certificate_authority import CertificateAuthority

HOST = "localhost"


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """A whole TLS handshake in memory. Raises SSLCertVerificationError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=HOST),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)


def client_that_trusts(bundle: str, folder: Path) -> ssl.SSLContext:
    write_certificate_folder(bundle, folder)
    return ssl.create_default_context(capath=str(folder))


def test_authorities_of_one_name_are_all_found(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    renewed = [CertificateAuthority(folder) for folder in folders]
    bundle = "".join(authority.file.read_text() for authority in renewed)
    client = client_that_trusts(bundle, tmp_path / "trusted")
    assert len(list((tmp_path / "trusted").iterdir())) == len(renewed)
    for authority in renewed:
        shake_hands(client, authority.serving(HOST))


def test_every_certificate_of_certifi_is_written_and_no_other_is_trusted(tmp_path: Path) -> None:
    bundle = Path(certifi.where()).read_text("utf-8")
    client = client_that_trusts(bundle, tmp_path / "trusted")
    files = (tmp_path / "trusted").iterdir()
    assert sorted(file.read_text() for file in files) == sorted(PEM.findall(bundle))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, CertificateAuthority(tmp_path).serving(HOST))


def test_two_folders_have_the_same_files(tmp_path: Path) -> None:
    bundle = Path(certifi.where()).read_text("utf-8")
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        write_certificate_folder(bundle, folder)
    one, two = ({file.name: file.read_bytes() for file in each.iterdir()} for each in folders)
    assert one == two


@pytest.mark.parametrize("openssl", ["false", "no-such-program"])
def test_layer_without_openssl_ships_without_the_folder_and_says_so(
    tmp_path: Path, openssl: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "cacert.pem"
    bundle.write_bytes(Path(certifi.where()).read_bytes())
    add_certificate_folder(bundle, openssl)
    assert list(tmp_path.iterdir()) == [bundle]
    assert capsys.readouterr().err == (
        "The layers ship without a folder of certificates: `openssl rehash` fails here."
        " The first request of a function takes longer.\n"
    )
