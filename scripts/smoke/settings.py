"""What to check, from the command line, the shell and .env."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from local.npm_options import with_npm_options
from local.playground.settings import api_path
from local.project.lists import entries
from scripts.access.aws_errors import AWS_ERRORS, code_of, remedy

TAKEN_BY_NPM = ("stage", "region", "stack", "http_url", "ws_url")
LOCAL_KEY = "local"
"""Key and secret for the local stack, if the user has no AWS credentials."""

OUTPUTS = ("StreamLambdaFunctionUrl", "ServiceEndpointWebsocket")
"""The outputs of the stack that hold the addresses, as osls names them."""


REMEDIES = {
    "ValidationError": "It does not exist: check --stage and --region, or deploy it.",
    "AccessDenied": "The AWS credentials must allow cloudformation:DescribeStacks.",
}


class SmokeSettingsError(Exception):
    """The checks cannot start. The text says what to set."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of the service; `http_url` has no slash at its end."""

    http_url: str
    websocket_url: str


LOCAL = Addresses("http://127.0.0.1:3000", "ws://127.0.0.1:3001")
"""Where `npm start` listens."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to check: addresses, auth modes, and botocore's credentials or the key for them."""

    addresses: Addresses
    region: str
    url_auth: str
    websocket_auth: str
    credentials: Any = field(repr=False)
    forward_key: str = field(repr=False)
    api_path: str = "/v1"

    @property
    def url_is_signed(self) -> bool:
        return self.url_auth == "aws_iam"

    def described(self) -> str:
        """Return two lines: the addresses and how they are opened."""
        url = "signed requests" if self.url_is_signed else "forward key"
        websocket = {"aws_iam": "presigned", "none": "open"}.get(self.websocket_auth, "forward key")
        return (
            f"Function URL  {self.addresses.http_url}  ({url})\n"
            f"WebSocket     {self.addresses.websocket_url}  ({websocket})\n"
        )


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    stage: str
    region: str
    stack: str
    local: Addresses | None


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Parse the command line, or end the program with its usage.

    Raises ConfigurationError for options that npm took for its own.
    """
    words = with_npm_options(arguments, environ, TAKEN_BY_NPM, ("local",), event="smoke")
    parser = argparse.ArgumentParser(
        prog="npm run smoke --", description="Check a deployed stage, or the local stack."
    )
    parser.add_argument("--stage", default="dev", help="default %(default)s")
    parser.add_argument("--region", default="us-east-1", help="default %(default)s")
    parser.add_argument("--stack", help="name of the CloudFormation stack (default sluice-STAGE)")
    parser.add_argument("--local", action="store_true", help="check what `npm start` runs")
    parser.add_argument("--http-url", help=f"with --local (default {LOCAL.http_url})")
    parser.add_argument("--ws-url", help=f"with --local (default {LOCAL.websocket_url})")
    found = parser.parse_args(words)
    if (found.http_url or found.ws_url) and not found.local:
        parser.error("--http-url and --ws-url need --local")
    url, websocket_url = found.http_url or LOCAL.http_url, found.ws_url or LOCAL.websocket_url
    local = Addresses(url.rstrip("/"), websocket_url) if found.local else None
    return Options(found.stage, found.region, found.stack or f"sluice-{found.stage}", local)


def target_of(options: Options, settings: Mapping[str, str]) -> Target:
    """Return what to check. `settings` are the shell's variables and those of .env.

    Raises SmokeSettingsError.
    """
    session = _session(options, settings)
    target = Target(
        addresses=options.local or deployed_addresses(session.client("cloudformation"), options),
        region=options.region,
        url_auth=settings.get("FUNCTION_URL_AUTH") or "aws_iam",
        websocket_auth=settings.get("WEBSOCKET_AUTH")
        or ("none" if options.local else "forward_key"),
        credentials=session.get_credentials(),
        forward_key=next(iter(entries(settings.get("FORWARD_KEY", ""))), ""),
        api_path=api_path(settings.get("OPENAI_ROUTE_PREFIX", "")),
    )
    _check(target, options)
    return target


def deployed_addresses(cloudformation: Any, options: Options) -> Addresses:
    """Return the addresses in the outputs of the stack. Raises SmokeSettingsError.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
    """
    stack = options.stack
    try:
        (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except AWS_ERRORS as error:
        raise SmokeSettingsError(
            f"Cannot look up the stack {stack} in {options.region} ({code_of(error)})."
            f" {remedy(code_of(error), REMEDIES)}"
        ) from error
    outputs = {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
    missing = [name for name in OUTPUTS if name not in outputs]
    if missing:
        raise SmokeSettingsError(
            f"The stack {stack} has no output {' and no '.join(missing)}: deploy it again."
        )
    url, websocket = (outputs[name] for name in OUTPUTS)
    return Addresses(url.rstrip("/"), websocket)


def _session(options: Options, settings: Mapping[str, str]) -> Any:
    """Take the credentials of the settings, or else let boto3 search, as osls does with .env."""
    key, secret = settings.get("AWS_ACCESS_KEY_ID"), settings.get("AWS_SECRET_ACCESS_KEY")
    token = settings.get("AWS_SESSION_TOKEN") or None
    if not (key and secret):
        key, secret, token = (LOCAL_KEY, LOCAL_KEY, None) if options.local else (None, None, None)
    try:
        return boto3.Session(key, secret, token, region_name=options.region)
    except BotoCoreError as error:  # such as an unknown AWS_PROFILE
        raise SmokeSettingsError(
            f"Your AWS settings cannot be used ({type(error).__name__}). Check AWS_PROFILE."
        ) from error


def _check(target: Target, options: Options) -> None:
    signs = target.url_is_signed or target.websocket_auth == "aws_iam"
    if signs and target.credentials is None:
        raise SmokeSettingsError(
            "No AWS credentials were found for signing. Set AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, or log in with the AWS CLI."
        )
    needs_key = not target.url_is_signed or target.websocket_auth == "forward_key"
    if needs_key and not target.forward_key:
        raise SmokeSettingsError(
            "FORWARD_KEY is not set, in the shell or in .env. Set it to a key of the service"
            f" (deployed: one of the SSM parameter /sluice/{options.stage}/forward-key)."
        )
