"""The variables of a `.env` file, read as `npx sls` reads them: by dotenv, then dotenv-expand.

A port of dotenv 17 and dotenv-expand 13, which osls uses; the tests run both. One difference: lines
that dotenv ignores, and quotes that do not close, are errors here.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.errors import ConfigurationError

# JavaScript's \s, `.`, ^ and $ differ from Python's.
_SPACES = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_SPACE = f"[{_SPACES}]"
_NOT_A_LINE_END = "[^\n\r\u2028\u2029]"
_START, _END = f"(?<!{_NOT_A_LINE_END})", f"(?!{_NOT_A_LINE_END})"
_QUOTED = "|".join(rf"{_SPACE}*{quote}(?:\\{quote}|[^{quote}])*{quote}" for quote in "'\"`")
_LINE = re.compile(
    rf"{_START}{_SPACE}*(?:export{_SPACE}+)?(?P<name>[A-Za-z0-9_.-]+)"
    rf"(?:{_SPACE}*={_SPACE}*?|:{_SPACE}+?)(?P<value>{_QUOTED}|[^#\r\n]+)?"
    rf"{_SPACE}*(?:#{_NOT_A_LINE_END}*)?{_END}"
)
_IN_QUOTES = re.compile(rf"{_START}(['\"`])([\s\S]*)\1{_END}")
_NO_VARIABLE = re.compile(rf"{_SPACE}*(?:(?:export{_SPACE}+)?[A-Za-z0-9_.-]*{_SPACE}*)?(?:#.*)?")
_AROUND = re.compile(rf"\A{_SPACE}+|{_SPACE}+\Z")

_REFERENCE = re.compile(r"(?<!\\)\$\{([^{}]+)\}|(?<!\\)\$([A-Za-z_][A-Za-z0-9_]*)")
_OPERATOR = re.compile(r":\+|\+|:-|-")
_MAX_REFERENCES = 100
"""Maximum references that one value is made of: a circle ends here."""

_MAX_CHARACTERS = 128 * 1024
"""Maximum length of a value, in characters: Linux takes no longer variable."""

_SUBSTITUTION = re.compile(r"\$([$&`'])")


def read_dotenv(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the file at `path`, none if the file is missing.

    `environ` has the values of references such as `$HOME`. Raises ConfigurationError, which names
    the file and the line but does not quote it.
    """
    text = ""
    try:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            text = path.read_bytes().decode()
    except OSError as error:
        raise ConfigurationError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} must be UTF-8.") from error
    return parse_dotenv(text, str(path), environ)


def dotenv_of_stage(folder: Path, stage: str) -> Path:
    """Return the file to read: `.env.{stage}` if it exists, else `.env`."""
    own = folder / f".env.{stage}"
    return own if own.exists() else folder / ".env"


def parse_dotenv(text: str, name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables in `text`; a name without a value is ignored.

    Raises ConfigurationError, which contains the file's `name`.
    """
    values = dict(_assignments(text.replace("\r\n", "\n").replace("\r", "\n"), name))
    known = {**values, **environ}
    found: dict[str, str] = {}
    for variable, value in values.items():
        try:
            expanded = environ.get(variable) or _expanded(value, known, found)
        except RecursionError as error:
            raise ConfigurationError(f"{name}: {variable} refers to itself.") from error
        found[variable] = expanded.replace("\\$", "$")
    return found


def _assignments(text: str, name: str) -> Iterator[tuple[str, str]]:
    read = 0
    for line in _LINE.finditer(text):
        _check_ignored(text, read, line.start(), name)
        read = line.end()
        value = _AROUND.sub("", line["value"] or "")
        plain = _IN_QUOTES.sub(lambda quoted: quoted[2], value)
        is_open = value[:1] in ("'", '"', "`") and plain == value
        if is_open or "\0" in line.group():
            raise _line_error(text, line.start("name"), name)
        if value.startswith('"'):
            plain = plain.replace("\\n", "\n").replace("\\r", "\r")
        yield line["name"], plain
    _check_ignored(text, read, len(text), name)


def _check_ignored(text: str, start: int, end: int, name: str) -> None:
    """Reject what dotenv skips, unless it is blank, a comment or a name alone."""
    at = start
    for line in text[start:end].split("\n"):
        if not _NO_VARIABLE.fullmatch(line):
            raise _line_error(text, at, name)
        at += len(line) + 1


def _line_error(text: str, at: int, name: str) -> ConfigurationError:
    number = text.count("\n", 0, at) + 1
    return ConfigurationError(
        f"{name}, line {number}: must be NAME=value. Close the quotes of a quoted value."
    )


def _expanded(value: str, known: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return `value` with its references replaced, and the references in what replaced them.

    Raises RecursionError for a circle of references, at which dotenv-expand would hang.
    """
    seen: set[str] = set()
    for _ in range(_MAX_REFERENCES):
        reference = _REFERENCE.search(value)
        if reference is None:
            return value
        if len(value) > _MAX_CHARACTERS:
            break
        seen.add(value)
        name, replacement = _replacement(reference[1] or reference[2], known, seen)
        value = _replaced(value, reference, replacement)
        if value == found.get(name):
            return value
    raise RecursionError


def _replacement(expression: str, known: Mapping[str, str], seen: set[str]) -> tuple[str, str]:
    """Return the name in `NAME`, `NAME:-default` or `NAME:+other`, and what replaces it."""
    operator = _OPERATOR.search(expression)
    # dotenv-expand divides a reference without an operator at "null".
    name, _, default = expression.partition(operator.group() if operator else "null")
    value = known.get(name, "")
    if operator and operator.group().endswith("+"):
        return name, default if value else ""
    return name, value if value and value not in seen else default


def _replaced(value: str, reference: re.Match[str], replacement: str) -> str:
    """Replace the first text like `reference`, as String.replace of JavaScript does."""
    before, _, after = value.partition(reference.group())
    special = {"$": "$", "&": reference.group(), "`": before, "'": after}
    return before + _SUBSTITUTION.sub(lambda found: special[found[1]], replacement) + after
