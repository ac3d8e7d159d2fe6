"""What the console says about a signature that was rejected, and what to do about it (no I/O)."""

from __future__ import annotations

from local.http.sigv4_verification import Reason, SignatureCheck, SignatureRejectedError

OWN_PAIR = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a pair of your own"


def signature_remedy(error: SignatureRejectedError, check: SignatureCheck) -> str:
    """Return what is wrong and how to sign for `check`; the text holds no key of the user."""
    pair = _pair(check)
    return {
        Reason.MISSING: f"The request has no signature. Sign it: {curl_option(check)}.",
        Reason.MALFORMED: f"{error} Sign with an AWS SDK or with {curl_option(check)}.",
        Reason.REGION: f"The signature is for another region. Sign for {check.region}.",
        Reason.SERVICE: f"The signature is for another service. Sign for {check.service}.",
        Reason.CLOCK: f"{error} Set the client's clock by this machine's, or presign a new URL.",
        Reason.ACCESS_KEY: f"The request is signed with another access key. Use {pair}.",
        Reason.MISMATCH: "The signature does not match the request. Sign with the secret key of "
        f"{pair}, and change neither host, path, query nor body afterwards.",
    }[error.reason]


def curl_option(check: SignatureCheck) -> str:
    """Return curl's options that sign for the local stack."""
    own = '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
    user = "local:local" if check.keys.is_well_known() else own
    return f"curl --aws-sigv4 aws:amz:{check.region}:{check.service} --user {user}"


def _pair(check: SignatureCheck) -> str:
    if check.keys.is_well_known():
        return f"local:local (or {OWN_PAIR}, in .env or the shell of npm start)"
    return "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of .env or the shell of npm start"
