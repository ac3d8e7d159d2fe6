"""The variables of a `.env` file."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from dotenv.parser import parse_stream

from local.errors import ConfigurationError


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of the file at `path`, none if the file is missing.

    Raises ConfigurationError, which names the file and the line but does not quote it.
    """
    text = ""
    try:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} must be UTF-8.") from error
    return parse_dotenv(text, str(path))


def parse_dotenv(text: str, name: str) -> dict[str, str]:
    """Return the variables in `text`; a name without a value is ignored.

    Raises ConfigurationError, which contains the file's `name`.
    """
    found = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or "\0" in binding.original.string:
            raise ConfigurationError(
                f"{name}, line {binding.original.line}: must be NAME=value. "
                "Close the quotes of a quoted value."
            )
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found
