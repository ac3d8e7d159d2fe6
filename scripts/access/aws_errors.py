"""What a tool says of an error of boto3: its code, and what to do (no I/O).

AWS's own text may hold a name, an account or a value, so it is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

AWS_ERRORS = (BotoCoreError, ClientError, ResponseParserError, ValueError)
"""ResponseParserError: a proxy's page. ValueError: an invalid endpoint."""

_NO_CREDENTIALS = (
    "No AWS credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
    " AWS_SECRET_ACCESS_KEY, in the shell or in .env."
)
_EXPIRED = "The AWS session has expired. Log in again: aws sso login, or new credentials."
_WRONG = "AWS rejects the credentials. Check them (AWS_PROFILE), and this machine's clock."
_UNREACHABLE = "Check --region, the network, and AWS_ENDPOINT_URL if it is set."
_REMEDIES = {
    **dict.fromkeys(("NoCredentialsError", "PartialCredentialsError"), _NO_CREDENTIALS),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException"), _EXPIRED),
    **dict.fromkeys(("UnauthorizedSSOTokenError", "SSOTokenLoadError"), _EXPIRED),
    **dict.fromkeys(("TokenRetrievalError", "SSOError"), _EXPIRED),
    **dict.fromkeys(("UnrecognizedClientException", "InvalidClientTokenId"), _WRONG),
    **dict.fromkeys(("InvalidSignatureException", "SignatureDoesNotMatch"), _WRONG),
    **dict.fromkeys(("EndpointConnectionError", "ConnectTimeoutError"), _UNREACHABLE),
    "ResponseParserError": _UNREACHABLE,
}
_OTHER = "Check --region and the credentials (AWS_PROFILE)."


def code_of(error: Exception) -> str:
    """AWS's code of an error, or its class."""
    if isinstance(error, ClientError):
        # As botocore: a reply that it cannot read, such as a proxy's, has no code.
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def remedy(code: str, own: Mapping[str, str]) -> str:
    """What to do. own: by code, what counts before what is true of all tools."""
    return own.get(code) or _REMEDIES.get(code, _OTHER)
