"""`npm run smoke -- --stage dev`, or `--local`: does every part of the service work?

Exit code 0: all checks passed. 1: a check failed. 2: the checks could not start.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from local.errors import ConfigurationError
from local.project.dotenv_file import dotenv_of_stage, read_dotenv
from local.project.environment import UserSettings
from local.project.ignored_variables import ignored, warning
from local.project.serverless_yml import ServiceFile
from scripts.smoke.check import Check, heading, row, run_check, summary
from scripts.smoke.settings import Options, SmokeSettingsError, Target, parse, target_of
from scripts.smoke.url_checks import url_checks
from scripts.smoke.websocket_checks import websocket_checks

ROOT = Path(__file__).parents[2]
CONNECT_TIMEOUT_S = 10.0
"""Time for the local stack to accept a connection, in seconds: the machine may be busy."""


def all_checks(target: Target) -> list[Check]:
    return [*url_checks(target), *websocket_checks(target)]


def main(arguments: Sequence[str], environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Run the checks. `environ` has the shell's variables."""
    try:
        options = parse(arguments, environ)
        user = read_settings(environ, ROOT, options.stage)
        # First: a variable that is missing below may be one of those, misspelled.
        env_names = ServiceFile(ROOT / "serverless.yml").env_names()
        if found := ignored(user.shell, user.dotenv, env_names):
            out.write(f"{warning(found)}\n\n")
        target = target_of(options, user.merged())
        check_listens(options)
    except (SmokeSettingsError, ConfigurationError) as error:
        err.write(f"smoke: {error}\n")
        return 2
    out.write(f"{target.described()}\n{heading()}\n")
    results = []
    for check in all_checks(target):
        results.append(run_check(check, target, time.monotonic))
        out.write(f"{row(results[-1])}\n")
        out.flush()
    out.write(f"{summary(results)}\n")
    return 1 if any(result.failure for result in results) else 0


def check_listens(options: Options) -> None:
    """Raises SmokeSettingsError if the local stack does not run: each check would fail."""
    if options.local is None:
        return
    url = urlsplit(options.local.http_url)
    try:
        socket.create_connection((url.hostname, url.port or 80), CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise SmokeSettingsError(
            f"Nothing listens at {options.local.http_url}. Start the service: npm start"
        ) from error


def read_settings(environ: Mapping[str, str], folder: Path, stage: str) -> UserSettings:
    """Return the variables of the shell and of the stage's .env."""
    return UserSettings(environ, read_dotenv(dotenv_of_stage(folder, stage), environ))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout, sys.stderr))
