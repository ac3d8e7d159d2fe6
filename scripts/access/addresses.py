"""The addresses of a deployed stage."""

from __future__ import annotations

from local.project.environment import UserSettings
from scripts.access.errors import ToolError
from scripts.access.place import session_of
from scripts.smoke import settings as smoke


def deployed_addresses(stage: str, region: str, stack: str, user: UserSettings) -> smoke.Addresses:
    """The addresses in the outputs of the stage's CloudFormation stack. Raises ToolError."""
    options = smoke.Options(stage, region, stack, None)
    try:
        return smoke.deployed_addresses(session_of(user, region).client("cloudformation"), options)
    except smoke.SmokeSettingsError as error:
        raise ToolError(str(error)) from error
