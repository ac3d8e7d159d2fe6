"""SecureStrings of AWS Systems Manager's Parameter Store.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
"""

from __future__ import annotations

TIMEOUT_S = 2  # SSM answers in milliseconds; two attempts must fit into the 10 s of $connect


def read_parameter(name: str) -> str:
    """The decrypted value. Raises LookupError with AWS's code if it cannot be read."""
    # 200 ms to import, so only for a deployment that stores its keys in SSM.
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        config = Config(
            connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"total_max_attempts": 2}
        )
        client = boto3.client("ssm", config=config)
        reply = client.get_parameter(Name=name, WithDecryption=True)
    except ClientError as error:
        raise LookupError(error.response["Error"]["Code"]) from error
    except BotoCoreError as error:
        raise LookupError(type(error).__name__) from error
    return str(reply["Parameter"]["Value"])
