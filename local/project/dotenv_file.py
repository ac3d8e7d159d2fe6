"""The variables of a `.env` file."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from dotenv.parser import parse_stream

from local.errors import ConfigurationError


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of the file at `path`, none where there is no such file.

    Raises ConfigurationError, which names the file and its line but quotes nothing of it.
    """
    text = ""
    try:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} must be UTF-8, found another encoding") from error
    return parse_dotenv(text, str(path))


def parse_dotenv(text: str, name: str) -> dict[str, str]:
    """Return the variables in `text`; a name without a value is left out.

    Raises ConfigurationError with the file's `name`.
    """
    found = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or "\0" in binding.original.string:
            raise ConfigurationError(
                f"{name}, line {binding.original.line}: expected NAME=value, "
                "with a value in quotes closed; found another text"
            )
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found
