"""A folder in which OpenSSL finds a certificate by its subject, in place of one file with them all.

A function that asks a provider for the first time would read the whole file: 16 ms of CPU, several
times that with the processor share of a small function. In such a folder it reads the one
certificate that signed the provider's.
https://docs.openssl.org/3.0/man3/X509_LOOKUP_hash_dir/
"""

from __future__ import annotations

import hashlib
import re
import ssl
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)
SEQUENCE, SET, UTF8_STRING, VERSION = 0x30, 0x31, 0x0C, 0xA0  # tags of ASN.1
FIELDS_BEFORE_SUBJECT = 4  # serial number, algorithm, issuer, validity; RFC 5280 section 4.1
TEXTS = {
    UTF8_STRING: "utf-8",
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # TeletexString
    0x16: "ascii",  # IA5String
    0x1A: "ascii",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
SPACES = re.compile(r"[ \t\n\v\f\r]+")
SHORT_LENGTH = 0x80  # from here on a length says first how many bytes it has itself


class Element(NamedTuple):
    """One element of ASN.1's DER."""

    tag: int
    content: bytes


def write_certificate_folder(bundle: str, folder: Path) -> None:
    """Write each certificate of a PEM bundle into `folder`, under the name OpenSSL looks for."""
    folder.mkdir(parents=True)
    for pem in PEM.findall(bundle):
        name = subject_hash(ssl.PEM_cert_to_DER_cert(pem))
        equal = len(list(folder.glob(f"{name}.*")))  # of one name: counted from 0
        (folder / f"{name}.{equal}").write_text(pem, encoding="ascii")


def subject_hash(certificate: bytes) -> str:
    """What `openssl x509 -subject_hash` prints for a certificate in DER."""
    ((_, whole),) = elements(certificate)
    signed = next(elements(whole))
    fields = [field for field in elements(signed.content) if field.tag != VERSION]
    subject = fields[FIELDS_BEFORE_SUBJECT]
    canonical = b"".join(map(_canonical_set, elements(subject.content)))
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def elements(data: bytes) -> Iterator[Element]:
    """The elements that stand one behind the other in `data`."""
    position = 0
    while position < len(data):
        tag, length, position = data[position], data[position + 1], position + 2
        if length >= SHORT_LENGTH:
            size = length - SHORT_LENGTH
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        yield Element(tag, data[position : position + length])
        position += length


def _canonical_set(attributes: Element) -> bytes:
    """The attributes as OpenSSL compares them: text in UTF-8, lower case, single blanks."""
    return _encoded(SET, b"".join(sorted(map(_canonical_attribute, elements(attributes.content)))))


def _canonical_attribute(attribute: Element) -> bytes:
    kind, value = elements(attribute.content)
    return _encoded(SEQUENCE, _encoded(*kind) + _encoded(*_canonical_value(value)))


def _canonical_value(value: Element) -> Element:
    encoding = TEXTS.get(value.tag)
    if encoding is None:
        return value
    text = SPACES.sub(" ", value.content.decode(encoding)).strip(" ").encode()
    return Element(UTF8_STRING, text.lower())  # of bytes: nothing beyond ASCII changes


def _encoded(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < SHORT_LENGTH:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, SHORT_LENGTH + size)) + length.to_bytes(size, "big") + content
