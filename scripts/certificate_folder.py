"""A folder in which OpenSSL finds a certificate by its subject, instead of one file with them all.

A function that connects to a provider for the first time would read the whole file: 16 ms of CPU,
several times that with the processor share of a small function. In such a folder it reads the one
certificate that signed the provider's.
https://docs.openssl.org/3.0/man3/X509_LOOKUP_hash_dir/
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


def write_certificate_folder(bundle: str, folder: Path, openssl: str = "openssl") -> None:
    """Write each certificate of a PEM bundle into `folder`, under the name OpenSSL looks for.

    Raises OSError if the program is missing, CalledProcessError if it cannot rehash (LibreSSL).
    """
    with tempfile.TemporaryDirectory() as temporary:
        numbered = Path(temporary)
        for number, pem in enumerate(PEM.findall(bundle)):
            (numbered / f"{number:04}.pem").write_text(pem, encoding="ascii")
        subprocess.run([openssl, "rehash", temporary], check=True)  # noqa: S603 - of this machine
        links = [path for path in numbered.iterdir() if path.is_symlink()]
        folder.mkdir(parents=True)
        for link in sorted(links, key=Path.readlink):  # in the bundle's order
            equal = len(list(folder.glob(f"{link.stem}.*")))  # of one name: counted from 0
            (folder / f"{link.stem}.{equal}").write_bytes(link.read_bytes())
