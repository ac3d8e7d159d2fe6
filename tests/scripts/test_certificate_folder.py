"""The folder of certificates, judged by OpenSSL: it must find in it who signed a server's."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from scripts.certificate_folder import PEM, subject_hash, write_certificate_folder
from tests.sluice.certificate_authority import CertificateAuthority

HOST = "localhost"
NAMES = {
    "plain": [[(NameOID.COMMON_NAME, "Root", _ASN1Type.PrintableString)]],
    "capitals and blanks": [[(NameOID.COMMON_NAME, "  A  Root \t CA ", _ASN1Type.UTF8String)]],
    "beyond ASCII": [[(NameOID.COMMON_NAME, "ÉTAT Ünïversal", _ASN1Type.UTF8String)]],
    "two bytes a character": [[(NameOID.COMMON_NAME, "Root É", _ASN1Type.BMPString)]],
    "e-mail": [[(NameOID.EMAIL_ADDRESS, "Root@Example.ORG", _ASN1Type.IA5String)]],
    "several": [
        [(NameOID.COUNTRY_NAME, "DE", _ASN1Type.PrintableString)],
        [(NameOID.ORGANIZATION_NAME, "O" * 60, _ASN1Type.UTF8String)],
        [(NameOID.COMMON_NAME, "N" * 60, _ASN1Type.UTF8String)],
    ],
    "two in one": [
        [
            (NameOID.ORGANIZATION_NAME, "Zeta", _ASN1Type.UTF8String),
            (NameOID.COMMON_NAME, "Alpha", _ASN1Type.UTF8String),
        ]
    ],
}


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


def who_trusts(bundle: str, folder: Path) -> ssl.SSLContext:
    write_certificate_folder(bundle, folder)
    return ssl.create_default_context(capath=str(folder))


@pytest.mark.parametrize("parts", NAMES.values(), ids=NAMES)
def test_openssl_finds_the_root_whatever_its_name(
    tmp_path: Path, parts: list[list[tuple[x509.ObjectIdentifier, str, _ASN1Type]]]
) -> None:
    name = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(*attribute) for attribute in rdn])
            for rdn in parts
        ]
    )
    authority = CertificateAuthority(tmp_path, name)
    client = who_trusts(authority.file.read_text(), tmp_path / "trusted")
    shake_hands(client, authority.serving(HOST))


def test_who_is_not_in_the_folder_is_not_trusted(tmp_path: Path) -> None:
    client = who_trusts(Path(certifi.where()).read_text("utf-8"), tmp_path / "trusted")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, CertificateAuthority(tmp_path).serving(HOST))


def test_roots_of_one_name_are_all_found(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    renewed = [CertificateAuthority(folder) for folder in folders]
    bundle = "".join(authority.file.read_text() for authority in renewed)
    client = who_trusts(bundle, tmp_path / "trusted")
    assert len(list((tmp_path / "trusted").iterdir())) == len(renewed)
    for authority in renewed:
        shake_hands(client, authority.serving(HOST))


def test_every_certificate_of_certifi_is_written(tmp_path: Path) -> None:
    bundle = Path(certifi.where()).read_text("utf-8")
    write_certificate_folder(bundle, tmp_path / "trusted")
    files = list((tmp_path / "trusted").iterdir())
    assert sorted(file.read_text() for file in files) == sorted(PEM.findall(bundle))
    assert all(
        file.stem == subject_hash(ssl.PEM_cert_to_DER_cert(file.read_text())) for file in files
    )
