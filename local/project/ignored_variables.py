"""Set variables that look like settings and are ignored, with what to use instead (no I/O)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from local.project.known_variables import KNOWN, NOT_MISSPELLED, OWN, PROTECTING, Known
from local.project.limited_routes import unknown_routes
from local.project.lists import entries

_EMPTY = ("", "{}", "[]")
_PATTERNS = "PROMPT_TEMPLATES"
_TEMPLATES = "*_TEMPLATE,PROMPT_*"
"""The default of PROMPT_TEMPLATES: variables that requests may name."""
_OURS = "SLUICE_"

_MIN_LETTERS = 7
"""Minimum letters of a setting for another name to count as a misspelling of it."""
_LONG_WORD = 8
_SHORT_WORD = 4
"""Letters from which on one wrong letter in a word is a misspelling: "PATH" is no "RATE"."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """One variable that is ignored; `protects` if that would open the gateway."""

    name: str
    system: str
    instead: str
    protects: bool

    def __str__(self) -> str:
        of_system = f" ({self.system})" if self.system else ""
        return f"{self.name}{of_system}: {self.instead}"


def ignored(
    shell: Mapping[str, str], dotenv: Mapping[str, str], env_names: frozenset[str]
) -> tuple[Ignored, ...]:
    """Return what is ignored of the variables of the shell and of `.env`, by name.

    `env_names` are the variables that serverless.yml reads.
    """
    values = {**dotenv, **shell}
    honored = OWN | env_names
    patterns = entries(values.get(_PATTERNS, "") or _TEMPLATES)
    names = [
        name
        for name, value in values.items()
        if value.strip() not in _EMPTY
        and name not in honored
        and not (
            any(fnmatchcase(name, pattern) for pattern in patterns) and not _lists(name, value)
        )
    ]
    known = {name: entry for name in names if (entry := _known(name))}
    systems = {entry.system for entry in known.values() if not entry.is_shared}
    found = []
    for name in sorted(names):
        entry = known.get(name)
        if entry and (name in dotenv or _counts_in_a_shell(entry, name, systems)):
            found.append(Ignored(name, entry.system, entry.instead, entry.protects))
        elif not entry and (meant := _meant(name, has_room=name in dotenv)):
            found.append(Ignored(name, "", f"Use {meant}.", meant in PROTECTING))
    found += [Ignored(name, "", text, protects=False) for name, text in unknown_routes(values)]
    return tuple(found)


def warning(found: Iterable[Ignored]) -> str:
    """Return a paragraph that names each variable, or "" if there is none."""
    lines = [f"  {each}" for each in found]
    return "\n".join(["These variables are set, and Sluice ignores them:", *lines]) if lines else ""


def refusal(found: Iterable[Ignored]) -> str:
    """Return why the start or the packaging stops, or ""."""
    names = [each.name for each in found if each.protects]
    if not names:
        return ""
    return (
        f"{', '.join(names)} would protect the gateway, and cannot be honored. Replace it as"
        " said above, or remove it."
    )


def _known(name: str) -> Known | None:
    for entry in KNOWN:
        # A pattern such as .+_API_KEY holds misspelled settings, too.
        if name in entry.names.split() or (
            any(re.fullmatch(pattern, name) for pattern in entry.names.split())
            and not (entry.is_shared and _meant(name, has_room=False))
        ):
            return entry
    return None


def _lists(name: str, value: str) -> bool:
    """Return whether a variable that may be a prompt is PROMPT_TEMPLATES, misspelled."""
    return _is_misspelled(name, _PATTERNS) and not re.search(r"\s", value.strip())


def _counts_in_a_shell(entry: Known, name: str, systems: set[str]) -> bool:
    return not entry.is_shared or (entry.system in systems and name in entry.names.split())


def _meant(name: str, *, has_room: bool) -> str:
    """Return the setting that `name` is a misspelling of, or "".

    has_room: a word too many or too few counts, too.
    """
    candidates = sorted(OWN - NOT_MISSPELLED)
    for test in (_is_same, _is_misspelled, _has_another_word if has_room else None):
        for setting in candidates if test else ():
            if test and test(name, setting):
                return setting
    return ""


@cache
def _letters(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.upper())


@cache
def _words(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[A-Z0-9]+", name.upper()))


def _is_same(name: str, setting: str) -> bool:
    return _letters(name.upper().removeprefix(_OURS)) == _letters(setting)


def _is_misspelled(name: str, setting: str) -> bool:
    """Return whether one letter is wrong, or one in each of two words, or two in a long word."""
    one, other = _letters(name), _letters(setting)
    # Two wrong letters change four of the set at most; counting steps is slow.
    if len(other) < _MIN_LETTERS or len(set(one) ^ set(other)) > 4:  # noqa: PLR2004 - of letters
        return False
    if abs(len(one) - len(other)) > 2:  # noqa: PLR2004 - of letters
        return False
    if distance(one, other) <= 1:
        return True
    pairs = list(zip(_words(name), _words(setting), strict=False))
    if len(_words(name)) != len(_words(setting)):
        return False
    wrong = [(distance(word, right), len(right)) for word, right in pairs]
    allowed = all(far <= (length >= _SHORT_WORD) + (length >= _LONG_WORD) for far, length in wrong)
    return allowed and sum(far for far, _ in wrong) <= 2  # noqa: PLR2004 - of letters


def _has_another_word(name: str, setting: str) -> bool:
    """Return whether one of them is the other with one more word after the first."""
    few, many = sorted((_words(name), _words(setting)), key=len)
    if len(few) < 2 or len(many) != len(few) + 1:  # noqa: PLR2004 - of words
        return False
    return any(many[:n] + many[n + 1 :] == few for n in range(1, len(many)))


def distance(one: str, other: str) -> int:
    """Return how many letters are missing, added, wrong or swapped with the next."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, right in enumerate(other, 1):
            steps = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != right))
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], right):
                steps = min(steps, last[j - 2] + 1)
            row.append(steps)
    return row[-1]
