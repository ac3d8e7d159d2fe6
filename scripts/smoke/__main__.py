"""`npm run smoke -- --stage dev`, or `--local`: does every part of the service work?

Exit code 0: all checks passed. 1: a check failed. 2: the checks could not start.
"""

from __future__ import annotations

import socket
import sys
import time
from urllib.parse import urlsplit

from local.errors import ConfigurationError
from local.project.ignored_variables import ignored, warning
from local.project.serverless_yml import ServiceFile
from scripts.access.errors import ToolError
from scripts.access.place import user_settings
from scripts.access.shell import Shell, shell_of_process
from scripts.smoke.check import Check, heading, row, run_check, summary
from scripts.smoke.settings import Options, Target, parse, target_of
from scripts.smoke.url_checks import url_checks
from scripts.smoke.websocket_checks import websocket_checks

CONNECT_TIMEOUT_S = 10.0
"""Time for the local stack to accept a connection, in seconds: the machine may be busy."""


def all_checks(target: Target) -> list[Check]:
    return [*url_checks(target), *websocket_checks(target)]


def main(shell: Shell) -> int:
    """Run the checks."""
    out = shell.out
    try:
        options = parse(shell.arguments, shell.environ)
        user = user_settings(options.stage, shell)
        # First: a variable that is missing below may be one of those, misspelled.
        env_names = ServiceFile(shell.folder / "serverless.yml").env_names()
        if found := ignored(user.shell, user.dotenv, env_names):
            out.write(f"{warning(found)}\n\n")
        target = target_of(options, user)
        check_listens(options)
    except (ToolError, ConfigurationError) as error:
        shell.err.write(f"smoke: {error}\n")
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
    """Raises ToolError if the local stack does not run: each check would fail."""
    if options.local is None:
        return
    url = urlsplit(options.local.http_url)
    try:
        socket.create_connection((url.hostname, url.port or 80), CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise ToolError(
            f"Nothing listens at {options.local.http_url}. Start the service: npm start"
        ) from error


if __name__ == "__main__":
    sys.exit(main(shell_of_process()))
