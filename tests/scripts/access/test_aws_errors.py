from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, UnauthorizedSSOTokenError

from scripts.access.aws_errors import code_of, remedy


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoCredentialsError(), "No AWS credentials were found. Set AWS_PROFILE"),
        (UnauthorizedSSOTokenError(), "Log in again: aws sso login"),
        (ClientError({"Error": {"Code": "ExpiredTokenException"}}, "Scan"), "Log in again"),
        (ClientError({"Error": {"Code": "InvalidSignatureException"}}, "Scan"), "clock"),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "Scan"), "docs/keys.md"),
        (ClientError({"Error": {"Code": "Unheard"}}, "Scan"), "Check --region"),
        (ValueError("Invalid endpoint"), "Check --region"),
    ],
)
def test_error_of_aws_has_a_remedy(error: Exception, said: str) -> None:
    own = {"AccessDeniedException": "See docs/keys.md."}
    assert said in remedy(code_of(error), own)
