"""Writes what a conversion makes: as JSON lines or as one array, to a file or standard output."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from scripts.access.errors import ToolError
from sluice.completions.conversation_lines import written

INDENT = 2
"""Indentation of the array, as openai-forward writes it."""


def write_lines(documents: Iterable[Any], out: TextIO) -> None:
    out.writelines(f"{_json(document)}\n" for document in documents)


def write_array(documents: Iterable[Any], out: TextIO) -> None:
    separator = "[\n"
    for document in documents:
        out.write(separator + _indented(_json(document, INDENT)))
        separator = ",\n"
    out.write("[]\n" if separator == "[\n" else "\n]\n")


@contextmanager
def opened(file: Path | None, stdout: TextIO) -> Iterator[TextIO]:
    """The file to write to, readable for its owner only; it is there once all is written.

    Raises ToolError.
    """
    if file is None:
        yield stdout
        stdout.flush()
        return
    try:
        if file.exists() and not file.is_file():
            with file.open("w", encoding="utf-8") as handle:  # such as /dev/null
                yield handle
        else:
            with _replacing(file.resolve()) as handle:
                yield handle
    except OSError as error:
        raise ToolError(f"{file} could not be written: {error.strerror}.") from error


@contextmanager
def _replacing(file: Path) -> Iterator[TextIO]:
    # Its mode is 600.
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            yield handle
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink()
        raise


def _json(document: Any, indent: int | None = None) -> str:
    return written(document, indent).encode("utf-8", "replace").decode()  # halves of characters


def _indented(text: str) -> str:
    return "\n".join(" " * INDENT + line for line in text.split("\n"))
