"""The command line of a tool: it says what it expects, and repeats nothing that may be a key."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TextIO

from local.errors import ConfigurationError
from scripts.access.errors import ToolError
from sluice.errors import SettingsError, StateUnavailable

OF_A_VALUE = "argument "
QUOTE = "'"
"""argparse quotes what it was given, and that may be a key."""


class CommandLine(argparse.ArgumentParser):
    """Raises ToolError for a wrong command line."""

    def error(self, message: str) -> Any:
        if message.startswith(OF_A_VALUE) and QUOTE not in message:
            problem = message.removeprefix(OF_A_VALUE)
            raise ToolError(f"{problem}. All options: {self.prog} --help")
        raise ToolError(f"Usage: {' '.join(self.format_usage().removeprefix('usage: ').split())}")


def exit_code(name: str, run: Callable[[], None], stderr: TextIO) -> int:
    """Run a tool; say on one line why it failed."""
    try:
        run()
    except (ToolError, ConfigurationError) as error:
        failure = str(error)
    except (SettingsError, StateUnavailable) as error:
        failure = error.message
    else:
        return 0
    stderr.write(f"{name}: {failure}\n")
    return 1
