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
    """Verifies certificates and host names by certifi's authorities, and by further ones.

    trusted_certificates: a PEM file of those, or a folder such as OpenSSL's. The public ones stay
    trusted, because one process also connects to public APIs and to AWS.
    """
    certifi = _folder_of_certifi()
    folder = f"{certifi}/{FOLDER}"
    public = folder if _is_folder(folder) else f"{certifi}/{BUNDLE}"
    file, folder_of_files = _place(public)
    context = ssl.create_default_context(cafile=file, capath=folder_of_files)
    if trusted_certificates is not None:
        context.load_verify_locations(*_place(trusted_certificates))
    return context


def _place(path: str) -> tuple[str | None, str | None]:
    """The path as OpenSSL's file or folder."""
    return (None, path) if _is_folder(path) else (path, None)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 -- pathlib is slow to import


def _folder_of_certifi() -> str:
    """Importing certifi takes as long as importing ssl."""
    found = PathFinder.find_spec("certifi")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("certifi is missing next to sluice.", name="certifi")
    return found.submodule_search_locations[0]
