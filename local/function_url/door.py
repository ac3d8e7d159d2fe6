"""Who may send a request to the Function URL, and what those learn who may not (no I/O).

AWS verifies signatures. While the key pair is the well-known one, this door also accepts the key
`local` instead of a signature, permits pages of this machine (CORS) and refuses those of others.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from local.http.remedies import curl_option, signature_remedy
from local.http.requests import Headers, HttpRequest
from local.http.sigv4_verification import Reason, SignatureCheck, SignatureRejectedError
from local.http.sites import check_site, is_own_origin
from local.project.environment import WELL_KNOWN

_OF_A_RECORD = "sk-sluice-"
"""How the keys of `npm run keys` begin. Their records are the functions' alone."""
_BEARER = re.compile(r"bearer\s+(.*)", re.IGNORECASE | re.DOTALL)
_FIELD_NAMES = re.compile(r"[!#$%&'*+.^_`|~\w-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~\w-]+)*", re.ASCII)
_HAS_OWN_PAIR = (
    "The key local does not count while npm start finds AWS_ACCESS_KEY_ID in its shell or .env."
)
_METHODS = "GET, POST, PUT, PATCH, DELETE, HEAD"
_PREFLIGHT_MAX_AGE_S = 600


@dataclass(frozen=True, slots=True)
class UrlDoor:
    """The checks of one Function URL.

    `check` is None if the URL requires no signature but a forward key, which the function checks;
    `forward_keys` are those that are known here, None if keys are the function's own affair.
    `unsigned` says how to do without signatures.
    """

    check: SignatureCheck | None = None
    forward_keys: Collection[str] | None = ()
    unsigned: str = "set FUNCTION_URL_AUTH=none and FORWARD_KEY"

    def is_open_to_pages(self) -> bool:
        """Return whether a page needs no secret, so that its site decides."""
        return self.check is not None and self.check.keys.is_well_known()

    def check_site(self, request: HttpRequest) -> None:
        """Raise RefusedError for a page of another site that could use the well-known pair."""
        if self.is_open_to_pages():
            check_site(request, self.unsigned)

    def signer(self, request: HttpRequest, now: float) -> str | None:
        """Return the access key that signed; raises SignatureRejectedError."""
        if self.check is None:
            return None
        if self.is_open_to_pages() and presented_key(request) == WELL_KNOWN:
            return WELL_KNOWN
        return self.check.verify(request, now)

    def page_headers(self, request: HttpRequest) -> Headers:
        """Return the header fields by which a page of this machine may read the answer."""
        origin = request.header("origin")
        if not (self.is_open_to_pages() and is_own_origin(origin)):
            return ()
        return (
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", "*"),
            ("vary", "origin"),
        )

    def preflight_headers(self, request: HttpRequest) -> Headers:
        """Return the header fields of the answer to a page's preflight request, else none."""
        allowed = self.page_headers(request)
        if request.method != "OPTIONS" or not request.header("access-control-request-method"):
            return ()
        named = request.header("access-control-request-headers")
        return allowed and (
            *allowed,
            ("access-control-allow-methods", _METHODS),
            ("access-control-allow-headers", named if _FIELD_NAMES.fullmatch(named) else "*"),
            ("access-control-max-age", str(_PREFLIGHT_MAX_AGE_S)),
        )

    def refusal(self, request: HttpRequest, error: SignatureRejectedError) -> str:
        """Return what is wrong with a request that the signature check rejected, and what to do."""
        check = self.check
        assert check is not None  # noqa: S101 - it rejected the request
        if error.reason is not Reason.MISSING:
            return signature_remedy(error, check)
        key = presented_key(request)
        problem = "The API key is unknown." if key else "The request has no signature and no key."
        if self.is_open_to_pages():
            sign = 'Send the key local (api_key="local" in an SDK). Or s'
        elif key == WELL_KNOWN:
            problem = _HAS_OWN_PAIR
            sign = "Start it without, s"
        else:
            sign = "S"
        other_keys = "" if self.forward_keys is None else " for keys of your own"
        return f"{problem} {sign}ign it ({curl_option(check)}), or {self.unsigned}{other_keys}."

    def key_refusal(self, request: HttpRequest) -> str:
        """Return what is wrong with the key of a request that the function answered with 401.

        "" if the key is a forward key: then the provider rejected its own key.
        """
        key = presented_key(request)
        if self.check is not None or self.forward_keys is None or key in self.forward_keys:
            return ""
        if key.startswith(_OF_A_RECORD):
            return "The answer says what is wrong. All keys: npm run keys -- list"
        problem = "The key is unknown." if key else "The request has no key."
        return (
            f"{problem} Send one of FORWARD_KEY as Authorization: Bearer KEY (api_key in an SDK)."
        )


def presented_key(request: HttpRequest) -> str:
    """Return the key in `Authorization: Bearer`, `api-key` or `x-api-key`, or ""."""
    bearer = _BEARER.fullmatch(request.header("authorization").strip())
    if bearer is not None:
        return bearer[1]
    return request.header("api-key") or request.header("x-api-key")
