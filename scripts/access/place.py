"""Which store a tool works on: a deployment's table, or the file of the local stack."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.project.dotenv_file import dotenv_of_stage, read_dotenv
from local.project.environment import UserSettings, state_file
from scripts.access.errors import ToolError
from scripts.access.shell import Shell

if TYPE_CHECKING:
    from scripts.access.store import ToolStore

# As in serverless.yml.
SERVICE = "sluice"
DEFAULT_STAGE = "dev"
DEFAULT_REGION = "us-east-1"
STAGE = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """settings: the variables of the shell and, where it has none, of the stage's .env file."""

    store: ToolStore
    settings: Mapping[str, str]


def add_options(
    parser: argparse.ArgumentParser, local: str = "the store of npm start on this machine"
) -> None:
    """Let a command choose its place. local: what counts without a stage."""
    parser.add_argument(
        "--stage", type=stage_name, help=f"a deployment's stage (without it, {local})"
    )
    parser.add_argument("--region", help=f"with --stage (default: {DEFAULT_REGION})")


def open_place(chosen: argparse.Namespace, shell: Shell) -> Place:
    """The place that the options name. Nothing is read before its first use.

    Raises ToolError, ConfigurationError.
    """
    check_region(chosen)
    user = user_settings(chosen.stage, shell)
    if not chosen.stage:
        from scripts.access.sqlite import SqliteItems  # noqa: PLC0415 -- either store is slow

        return Place(SqliteItems(state_file(user, shell.folder)), user.merged())
    from scripts.access.dynamodb import DynamoDbItems  # noqa: PLC0415 -- 0.3 s for boto3

    session = session_of(user, chosen.region or DEFAULT_REGION)
    return Place(DynamoDbItems(table_of(chosen.stage), session), user.merged())


def check_region(chosen: argparse.Namespace) -> None:
    """Raises ToolError."""
    if chosen.region and not chosen.stage:
        raise ToolError("--region needs --stage: the local store has no region.")


def table_of(stage: str) -> str:
    """The state table of a stage, as serverless.yml names it."""
    return f"{SERVICE}-{stage}-state"


def cache_table_of(stage: str) -> str:
    """The table of kept answers."""
    return f"{SERVICE}-{stage}-cache"


def user_settings(stage: str | None, shell: Shell) -> UserSettings:
    """The settings of a stage, or of the local stack. Raises ConfigurationError."""
    file = dotenv_of_stage(shell.folder, stage or DEFAULT_STAGE)
    return UserSettings(shell.environ, read_dotenv(file, shell.environ))


def session_of(user: UserSettings, region: str) -> Any:
    """Take the credentials of the settings, or else let boto3 search, as osls does with .env."""
    import boto3  # noqa: PLC0415 -- 0.3 s
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 -- the same

    key, secret = user.get("AWS_ACCESS_KEY_ID"), user.get("AWS_SECRET_ACCESS_KEY")
    try:
        if key and secret:
            token = user.get("AWS_SESSION_TOKEN") or None
            return boto3.Session(key, secret, token, region_name=region)
        return boto3.Session(region_name=region, profile_name=user.get("AWS_PROFILE") or None)
    except BotoCoreError as error:  # such as an unknown profile
        raise ToolError(
            f"Your AWS settings cannot be used ({type(error).__name__}). Check AWS_PROFILE."
        ) from error


def stage_name(text: str) -> str:
    if not STAGE.fullmatch(text):
        raise argparse.ArgumentTypeError("must be letters, digits and hyphens")
    return text
