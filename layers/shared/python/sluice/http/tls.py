"""The certificate authorities to trust. Imported with the first TLS connection: slow to import."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from importlib.machinery import PathFinder

HANG_UPS = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
BUNDLE = "cacert.pem"
FOLDER = "by_subject"
"""Folder next to the bundle in a built layer: the same certificates, each read when needed."""


@lru_cache(maxsize=2)
def client_context(trusted_certificates: str | None = None) -> ssl.SSLContext:
    """Verifies certificates and host names. trusted_certificates: a PEM file; certifi's if None."""
    if trusted_certificates is not None:
        return ssl.create_default_context(cafile=trusted_certificates)
    certifi = _folder_of_certifi()
    if os.path.isdir(f"{certifi}/{FOLDER}"):  # noqa: PTH112 -- pathlib is slow to import
        return ssl.create_default_context(capath=f"{certifi}/{FOLDER}")
    return ssl.create_default_context(cafile=f"{certifi}/{BUNDLE}")


def _folder_of_certifi() -> str:
    """Importing certifi takes as long as importing ssl."""
    found = PathFinder.find_spec("certifi")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("certifi is missing next to sluice.", name="certifi")
    return found.submodule_search_locations[0]
