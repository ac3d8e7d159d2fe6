"""AWS signature version 4: verifies a signature by recomputing it with botocore (no I/O).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from http.client import HTTPMessage
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKeys

from local.http.requests import HttpRequest
from local.limits import MAX_CLOCK_SKEW_S, MAX_PRESIGNED_S
from local.project.environment import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"
_SIGNATURE = "X-Amz-Signature"
_BAD_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)


class Reason(Enum):
    """What is wrong with a signature."""

    MISSING = "missing"
    MALFORMED = "malformed"
    REGION = "region"
    SERVICE = "service"
    CLOCK = "clock"
    ACCESS_KEY = "access key"
    MISMATCH = "mismatch"


class SignatureRejectedError(Exception):
    """The signature is missing or invalid: AWS's error type and message, always with status 403."""

    def __init__(self, error_type: str, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.reason = reason


class MissingSignatureError(SignatureRejectedError):
    """The request has no signature."""

    def __init__(self) -> None:
        super().__init__(
            "MissingAuthenticationTokenException", "Missing Authentication Token", Reason.MISSING
        )


@dataclass(frozen=True, slots=True)
class _Claim:
    """The signature in a request."""

    credential: str
    signed_headers: tuple[str, ...]
    signature: str
    stamp: str
    query: str
    lifetime_s: float


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """Verifies requests to one service against one key pair."""

    keys: Credentials
    service: str
    region: str

    def verify(self, request: HttpRequest, now: float) -> str:
        """Return the access key that signed `request`; raises SignatureRejectedError."""
        try:
            return self._verify(request, _claim(request), now)
        except UnicodeEncodeError as error:
            # No client can sign header bytes that are invalid UTF-8.
            raise _invalid_error(_BAD_SIGNATURE) from error

    def _verify(self, request: HttpRequest, claim: _Claim, now: float) -> str:
        access_key, date = self._scope(claim.credential)
        _check_time(claim, date, now)
        if not hmac.compare_digest(access_key.encode(), self.keys.access_key.encode()):
            raise SignatureRejectedError(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
                Reason.ACCESS_KEY,
            )
        _check_payload(request.header("x-amz-content-sha256"), request.body)
        expected = [self._expected(request, claim, query) for query in _readings(claim.query)]
        given = claim.signature.encode()
        if not any(hmac.compare_digest(signature.encode(), given) for signature in expected):
            raise _invalid_error(_BAD_SIGNATURE)
        return access_key

    def _scope(self, credential: str) -> tuple[str, str]:
        parts = credential.rsplit("/", 4)
        if len(parts) != 5 or parts[4] != "aws4_request":  # noqa: PLR2004 - key/date/region/service/end
            raise _incomplete_error("Credential must be KEY/DATE/REGION/SERVICE/aws4_request")
        access_key, date, region, service, _ = parts
        if region != self.region:
            raise _scope_error(f"a valid region: '{self.region}'", Reason.REGION)
        if service != self.service:
            raise _scope_error(f"correct service: '{self.service}'", Reason.SERVICE)
        return access_key, date

    def _expected(self, request: HttpRequest, claim: _Claim, query: str) -> str:
        keys = SigningKeys(self.keys.access_key, self.keys.secret_key)
        signer = _Recomputation(keys, self.service, self.region, claim.signed_headers)
        message = AWSRequest(
            method=request.method,
            url=f"http://{request.header('host')}{request.raw_path}?{query}",
            data=request.body,
        )
        for name, value in request.headers:
            message.headers.add_header(name, value)
        message.context["timestamp"] = claim.stamp
        text = signer.string_to_sign(message, signer.canonical_request(message))
        return str(signer.signature(text, message))


class _Recomputation(SigV4Auth):
    """botocore's signer, over exactly the headers that the client signed."""

    def __init__(
        self, keys: SigningKeys, service: str, region: str, signed: tuple[str, ...]
    ) -> None:
        super().__init__(keys, service, region)
        self._signed = signed

    def headers_to_sign(self, request: AWSRequest) -> HTTPMessage:
        headers = HTTPMessage()
        for name in self._signed:
            for value in request.headers.get_all(name, []):
                headers.add_header(name, value)
        return headers


def _claim(request: HttpRequest) -> _Claim:
    authorization = request.header("authorization")
    if authorization:
        return _header_claim(request, authorization)
    given = dict(parse_qsl(request.raw_query, keep_blank_values=True))
    if _SIGNATURE in given:
        return _query_claim(request.raw_query, given)
    raise MissingSignatureError


def _header_claim(request: HttpRequest, authorization: str) -> _Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != _ALGORITHM:
        raise MissingSignatureError
    fields = dict(re.findall(r"(\w+)=([^,\s]+)", rest))
    stamp = request.header("x-amz-date") or _from_date(request.header("date"))
    names = ("Credential", "SignedHeaders", "Signature")
    return _checked(
        {**{name: fields.get(name, "") for name in names}, "X-Amz-Date": stamp},
        request.raw_query,
        MAX_CLOCK_SKEW_S,
    )


def _query_claim(query: str, given: Mapping[str, str]) -> _Claim:
    if given.get("X-Amz-Algorithm") != _ALGORITHM:
        raise _incomplete_error(f"X-Amz-Algorithm must be {_ALGORITHM}")
    names = ("Credential", "SignedHeaders", "Signature")
    fields = {name: given.get(f"X-Amz-{name}", "") for name in names}
    rest = [pair for pair in query.split("&") if unquote(pair.partition("=")[0]) != _SIGNATURE]
    return _checked(
        {**fields, "X-Amz-Date": given.get("X-Amz-Date", "")}, "&".join(rest), _lifetime(given)
    )


def _lifetime(given: Mapping[str, str]) -> float:
    """The seconds that X-Amz-Expires gives a URL. Only S3 requires it: it extends the default.

    https://docs.aws.amazon.com/prescriptive-guidance/latest/presigned-url-best-practices/overview.html
    """
    expires = given.get("X-Amz-Expires")
    if expires is None:
        return MAX_CLOCK_SKEW_S
    if not re.fullmatch("[0-9]{1,6}", expires) or not 0 < int(expires) <= MAX_PRESIGNED_S:
        raise _incomplete_error(f"X-Amz-Expires must be 1 to {MAX_PRESIGNED_S} seconds")
    return float(expires)


def _checked(fields: Mapping[str, str], query: str, lifetime_s: float) -> _Claim:
    missing = [name for name, value in fields.items() if not value]
    if missing:
        raise _incomplete_error(
            " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        )
    signed = tuple(fields["SignedHeaders"].lower().split(";"))
    if "host" not in signed:
        raise _incomplete_error("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    return _Claim(
        fields["Credential"], signed, fields["Signature"], fields["X-Amz-Date"], query, lifetime_s
    )


def _check_time(claim: _Claim, date: str, now: float) -> None:
    try:
        signed_at = calendar.timegm(time.strptime(claim.stamp, _STAMP))
    except ValueError as error:
        raise _incomplete_error("Date must be in ISO-8601 'basic format'.") from error
    if not claim.stamp.startswith(date):
        raise _scope_error(f"the date of the request: '{claim.stamp[:8]}'", Reason.MALFORMED)
    if now > signed_at + claim.lifetime_s:
        earliest = _stamp(now - claim.lifetime_s)
        raise _invalid_error(
            f"Signature expired: {claim.stamp} is now earlier than {earliest} "
            f"({_stamp(now)} - {claim.lifetime_s / 60:.0f} min.)",
            Reason.CLOCK,
        )
    if signed_at > now + MAX_CLOCK_SKEW_S:
        raise _invalid_error(
            f"Signature not yet current: {claim.stamp} is still later than "
            f"{_stamp(now + MAX_CLOCK_SKEW_S)} ({_stamp(now)} + {MAX_CLOCK_SKEW_S / 60:.0f} min.)",
            Reason.CLOCK,
        )


def _check_payload(stated: str, body: bytes) -> None:
    """Refuse another body, and UNSIGNED-PAYLOAD too: Lambda does not support unsigned payloads.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-lambda.html
    """
    actual = hashlib.sha256(body).hexdigest()
    if stated and not hmac.compare_digest(stated.encode(), actual.encode()):
        raise _invalid_error(_BAD_SIGNATURE)


def _readings(query: str) -> set[str]:
    """The query as AWS may read it: each name and value decoded and encoded anew.

    AWS does not document whether + is a space and whether a pair without a name counts. Common
    signers differ, and each way is accepted.
    """
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    named = [pair for pair in pairs if pair[0]]
    return {
        "&".join(f"{_encoded(name, plus)}={_encoded(value, plus)}" for name, _, value in chosen)
        for chosen in (pairs, named)
        for plus in ("%20", "%2B")
    }


def _encoded(text: str, plus: str) -> str:
    sent = text.replace("+", plus).encode("utf-8", "surrogateescape")
    return quote(unquote_to_bytes(sent), safe="")


def _from_date(date: str) -> str:
    try:
        return parsedate_to_datetime(date).strftime(_STAMP) if date else ""
    except ValueError:
        return ""


def _stamp(seconds: float) -> str:
    return time.strftime(_STAMP, time.gmtime(seconds))


def _incomplete_error(message: str) -> SignatureRejectedError:
    return SignatureRejectedError("IncompleteSignatureException", message, Reason.MALFORMED)


def _invalid_error(message: str, reason: Reason = Reason.MISMATCH) -> SignatureRejectedError:
    return SignatureRejectedError("InvalidSignatureException", message, reason)


def _scope_error(what: str, reason: Reason) -> SignatureRejectedError:
    return _invalid_error(f"Credential should be scoped to {what}.", reason)
