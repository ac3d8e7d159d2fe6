"""System prompts that live in environment variables, named by the client and never seen by it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sluice.errors import PromptTemplateNotAllowed, PromptTemplateNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_NAMES = (
    "AWS_*",
    "_*",
    "*KEY",
    "*KEYS",
    "*KEY_PARAMETER",
    "*SECRET",
    "*SECRETS",
    "*TOKEN",
    "*TOKENS",
    "*PASSWORD",
    "*PASSPHRASE",
    "*CREDENTIALS",
)
"""Names that are never a prompt, whatever PROMPT_TEMPLATES says: a client could have the model
repeat its system prompt."""


def system_prompt(name: str, patterns: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """The value of the environment variable `name`, if it may be a prompt.

    Raises PromptTemplateNotAllowed, PromptTemplateNotFound. Both look the same for a variable that
    exists and one that does not, unless the name is one of the permitted.
    """
    if not _is_permitted(name, patterns):
        raise PromptTemplateNotAllowed(
            "This prompt_template is not allowed: expected a name that matches PROMPT_TEMPLATES "
            f"({', '.join(patterns)}) and is not a secret's.",
            param="prompt_template",
        )
    prompt = environ.get(name, "")
    if not prompt:
        raise PromptTemplateNotFound(
            f"prompt_template {name} is not set: expected an environment variable of that name.",
            param="prompt_template",
        )
    return prompt


def _is_permitted(name: str, patterns: tuple[str, ...]) -> bool:
    is_secret = any(fnmatchcase(name.upper(), pattern) for pattern in SECRET_NAMES)
    return not is_secret and any(fnmatchcase(name, pattern) for pattern in patterns)
