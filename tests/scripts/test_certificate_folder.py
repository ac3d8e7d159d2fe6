"""The folder of certificates, judged by OpenSSL: it must find in it who signed a server's."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from scripts.certificate_folder import PEM, subject_hash, write_certificate_folder

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


def signed_by(name: x509.Name, folder: Path) -> tuple[str, Path]:
    """A root's certificate as PEM, and a file with a server's that it signed."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    host = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    is_root = x509.BasicConstraints(ca=True, path_length=None)
    issuer_key = root_key.public_key()  # by which roots of one name are told apart
    own = x509.SubjectKeyIdentifier.from_public_key(issuer_key)
    of_issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)
    root = certificate(name, name, root_key).add_extension(is_root, critical=True)
    root = root.add_extension(own, critical=False)
    leaf = certificate(server, name, key).add_extension(host, critical=False)
    leaf = leaf.add_extension(of_issuer, critical=False)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(private + leaf.sign(root_key, hashes.SHA256()).public_bytes(pem))
    return root.sign(root_key, hashes.SHA256()).public_bytes(pem).decode(), file


def certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    number = x509.random_serial_number()
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), number)
    day = timedelta(days=1)
    return builder.not_valid_before(now - day).not_valid_after(now + day)


def shake_hands(client: ssl.SSLContext, server_file: Path) -> None:
    """A whole TLS handshake in memory. Raises SSLCertVerificationError."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(server_file)
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
    pem, server_file = signed_by(name, tmp_path)
    folder = tmp_path / "trusted"
    write_certificate_folder(pem, folder)
    shake_hands(ssl.create_default_context(capath=str(folder)), server_file)


def test_who_is_not_in_the_folder_is_not_trusted(tmp_path: Path) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stranger")])
    _, server_file = signed_by(name, tmp_path)
    write_certificate_folder(Path(certifi.where()).read_text("utf-8"), tmp_path / "trusted")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(ssl.create_default_context(capath=str(tmp_path / "trusted")), server_file)


def test_roots_of_one_name_are_all_found(tmp_path: Path) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "renewed")])
    made = [(tmp_path / str(number), number) for number in range(3)]
    pairs = []
    for folder, _ in made:
        folder.mkdir()
        pairs.append(signed_by(name, folder))
    write_certificate_folder("".join(pem for pem, _ in pairs), tmp_path / "trusted")
    assert len(list((tmp_path / "trusted").iterdir())) == len(pairs)
    for _, server_file in pairs:
        shake_hands(ssl.create_default_context(capath=str(tmp_path / "trusted")), server_file)


def test_every_certificate_of_certifi_is_written(tmp_path: Path) -> None:
    bundle = Path(certifi.where()).read_text("utf-8")
    write_certificate_folder(bundle, tmp_path / "trusted")
    files = list((tmp_path / "trusted").iterdir())
    assert sorted(file.read_text() for file in files) == sorted(PEM.findall(bundle))
    assert all(
        file.stem == subject_hash(ssl.PEM_cert_to_DER_cert(file.read_text())) for file in files
    )
