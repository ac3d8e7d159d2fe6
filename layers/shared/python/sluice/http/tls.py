"""Whom a function trusts. Imported with the first TLS connection: `ssl` costs a start much."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from importlib.machinery import PathFinder

HANG_UPS = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
BUNDLE = "cacert.pem"
FOLDER = "by_subject"
"""Beside the bundle in a built layer: the same certificates, each read when it is needed."""


@lru_cache(maxsize=2)
def client_context(trusted_certificates: str | None = None) -> ssl.SSLContext:
    """Verifies certificates and host names. trusted_certificates: a PEM file; certifi's if None."""
    if trusted_certificates is not None:
        return ssl.create_default_context(cafile=trusted_certificates)
    certifi = _folder_of_certifi()
    if os.path.isdir(f"{certifi}/{FOLDER}"):  # noqa: PTH112 -- pathlib costs start-up time
        return ssl.create_default_context(capath=f"{certifi}/{FOLDER}")
    return ssl.create_default_context(cafile=f"{certifi}/{BUNDLE}")


def _folder_of_certifi() -> str:
    """Importing certifi takes as long as importing ssl."""
    found = PathFinder.find_spec("certifi")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("There is no certifi beside sluice.", name="certifi")
    return found.submodule_search_locations[0]
