"""SHA-256 by OpenSSL, which TLS loads anyway. hashlib and hmac would add 1.4 ms to its import.

Functions that need no hash do not import this: OpenSSL takes 2 ms.
"""

from __future__ import annotations

from _hashlib import compare_digest, hmac_digest
from _hashlib import openssl_sha256 as sha256

__all__ = ["compare_digest", "hmac_digest", "sha256"]
