"""Whom a function trusts. Imported for the first TLS connection: `ssl` costs a start much."""

from __future__ import annotations

import ssl
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import PurePath

HANG_UPS = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
CERTIFICATES = "cacert.pem"


@lru_cache(maxsize=2)  # reading 140 certificates takes longer than a handshake
def client_context(trusted_certificates: str | None = None) -> ssl.SSLContext:
    """Verifies certificates and host names. trusted_certificates: a PEM file; certifi's if None."""
    return ssl.create_default_context(cafile=trusted_certificates or _certifis())


def _certifis() -> str:
    """The file in certifi's folder; importing certifi takes as long as importing ssl."""
    found = PathFinder.find_spec("certifi")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("There is no certifi beside sluice.", name="certifi")
    return str(PurePath(found.submodule_search_locations[0], CERTIFICATES))
