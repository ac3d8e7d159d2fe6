"""AWS Signature Version 4: signed headers and presigned URLs.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

For every service except S3: path segments are encoded twice here, and once for S3. The clock and
the environment are passed in.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache

from sluice.digests import hmac_digest, sha256
from sluice.http.urls import percent_encoded
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_PRESIGNED_S = 604_800  # AWS's limit for a presigned URL: a week
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Credentials(NamedTuple):
    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(access_key={self.access_key!r})"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Credentials:
        """The function's own. Read them each time: Lambda renews them. Raises KeyError."""
        return cls(
            environ["AWS_ACCESS_KEY_ID"],
            environ["AWS_SECRET_ACCESS_KEY"],
            environ.get("AWS_SESSION_TOKEN") or None,
        )


class Scope(NamedTuple):
    """What a signature is valid for: one day, region and service."""

    region: str
    service: str
    now: float
    """The time of signing, in seconds since 1970. AWS accepts it for five minutes."""

    @property
    def timestamp(self) -> str:
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now))

    @property
    def text(self) -> str:
        return f"{self.timestamp[:8]}/{self.region}/{self.service}/aws4_request"


def sign(
    method: str,
    url: str,
    body: bytes,
    credentials: Credentials,
    scope: Scope,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers that authenticate a request: Authorization, X-Amz-Date, X-Amz-Security-Token.

    url: as it is sent, percent-encoded. Send the result together with `headers`, which are signed
    too, and with the URL's host and port as the Host header.
    """
    added = {"X-Amz-Date": scope.timestamp}
    if credentials.session_token:
        added["X-Amz-Security-Token"] = credentials.session_token
    signed = {"host": host_header(url), **_lower_case({**(headers or {}), **added})}
    payload_hash = signed.get("x-amz-content-sha256") or sha256(body).hexdigest()
    canonical = canonical_request(method, url, signed, payload_hash)
    signature = _signature(string_to_sign(canonical, scope), credentials, scope)
    added["Authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope.text}, "
        f"SignedHeaders={_names(signed)}, Signature={signature}"
    )
    return added


def presign(
    method: str, url: str, credentials: Credentials, scope: Scope, expires_s: int = 300
) -> str:
    """The URL with its authentication in the query, valid for `expires_s` seconds.

    For clients that cannot set headers: a browser's WebSocket ("GET", "wss://…", execute-api).
    """
    if not 0 < expires_s <= MAX_PRESIGNED_S:
        raise ValueError(f"expires_s must be 1 to {MAX_PRESIGNED_S} (got {expires_s})")
    from urllib.parse import quote  # noqa: PLC0415 -- see _encoded

    signed = {"host": host_header(url)}
    authentication = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{scope.text}",
        "X-Amz-Date": scope.timestamp,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": _names(signed),
    }
    if credentials.session_token:
        authentication["X-Amz-Security-Token"] = credentials.session_token
    added = "&".join(f"{name}={quote(value, safe='~')}" for name, value in authentication.items())
    base, _, query = url.partition("#")[0].partition("?")
    unsigned = f"{base}?{query}&{added}" if query else f"{base}?{added}"
    canonical = canonical_request(method, unsigned, signed, sha256(b"").hexdigest())
    signature = _signature(string_to_sign(canonical, scope), credentials, scope)
    return f"{unsigned}&X-Amz-Signature={signature}"


def canonical_request(
    method: str, url: str, signed_headers: Mapping[str, str], payload_hash: str
) -> str:
    """The canonical form of a request. Names in `signed_headers` are in lower case."""
    path, _, query = _split(url)[2].partition("?")
    headers = "".join(
        f"{n}:{' '.join(signed_headers[n].split())}\n" for n in sorted(signed_headers)
    )
    return "\n".join(
        [
            method.upper(),
            _canonical_path(path),
            _canonical_query(query),
            headers,
            _names(signed_headers),
            payload_hash,
        ]
    )


def string_to_sign(canonical: str, scope: Scope) -> str:
    digest = sha256(canonical.encode()).hexdigest()
    return "\n".join([ALGORITHM, scope.timestamp, scope.text, digest])


def host_header(url: str) -> str:
    """The Host header for a URL: with the port if it is not the scheme's default."""
    scheme, host, _ = _split(url)
    return host.rpartition("@")[2].lower().removesuffix(f":{DEFAULT_PORTS.get(scheme)}")


def _split(url: str) -> tuple[str, str, str]:
    """Scheme, host with port, and the rest without a fragment."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    host = re.split(r"[/?]", rest, maxsplit=1)[0]
    return scheme.lower(), host, rest[len(host) :]


def _canonical_path(path: str) -> str:
    """RFC 3986 section 5.2.4, without empty segments, then encoded again."""
    if path in ("", "/"):
        return "/"
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if kept and path.endswith("/") else ""
    return percent_encoded("/" + "/".join(kept) + slash, "/")


def _canonical_query(query: str) -> str:
    """The pairs in order, encoded anew, as AWS does it: a URL may leave more of them as it is."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    encoded = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encoded(text: str) -> str:
    """Decoded, with + for a space, and encoded again: only letters, digits and -_.~ stay."""
    from urllib.parse import quote, unquote_to_bytes  # noqa: PLC0415 -- slow to import

    return quote(unquote_to_bytes(text.replace("+", " ")), safe="~")


def _names(signed_headers: Mapping[str, str]) -> str:
    return ";".join(sorted(signed_headers))


def _lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _signature(text: str, credentials: Credentials, scope: Scope) -> str:
    day = scope.timestamp[:8]
    key = _signing_key(credentials.secret_key, day, scope.region, scope.service)
    return _hmac(key, text).hex()


@lru_cache(maxsize=8)  # one per day, service and credentials: it saves 4 of 5 hashes of a signature
def _signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac_digest(key, text.encode(), "sha256")
