"""The file of the chat log, tried before the functions need it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from local.errors import ConfigurationError

_OWNER_ONLY = 0o600


def check_chat_file(file: str) -> None:
    """Raises ConfigurationError if lines cannot be added to the file; "" is no file."""
    if not file:
        return
    with suppress(OSError, ValueError):  # opening it says why
        Path(file).resolve().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, _OWNER_ONLY))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(
            f"LOG_CHAT_FILE must be a file that can be written (got {file}: {reason})."
            " Name another file, or set LOG_CHAT=false."
        ) from None
