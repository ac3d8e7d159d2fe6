"""System prompts in environment variables: clients name them and never see them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from sluice.errors import PromptTemplateNotAllowed, PromptTemplateNotFound
from sluice.secret_mask import SecretMask
from sluice.settings import ALL_SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VARIABLE_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,127}"  # POSIX, with a length limit
SECRET_WORDS = frozenset(
    (
        "AUTH", "BEARER", "CERT", "CERTIFICATE", "COOKIE", "CRED", "DSN", "HMAC", "HOOK", "JWK",
        "JWT", "KEY", "KEYFILE", "KEYRING", "NETRC", "NPMRC", "OTP", "P12", "PASS", "PASSFILE",
        "PAT", "PEM", "PEPPER", "PFX", "PIN", "PKCS", "PRIVATE", "PRIVKEY", "PROXY", "PWD",
        "PYPIRC", "SALT", "SAS", "SECRET", "SESSION", "SESSIONID", "SIG", "SIGNING", "SK", "TOKEN",
        "TOTP", "URI", "URL",
    )
)  # fmt: skip
"""A name with one of these words, or its plural, is never a prompt, whatever PROMPT_TEMPLATES says:
a client can make the model repeat its system prompt."""
SECRET_ENDINGS = ("AUTH", "COOKIE", "CRED", "DSN", "KEY", "PASS", "PWD", "SECRET", "TOKEN", "URL")
"""Of a word, such as SSHPASS."""
HARMLESS_WORDS = frozenset(
    (
        "BYPASS", "COMPASS", "CURL", "DONKEY", "HOCKEY", "JOCKEY", "MONKEY", "OVERPASS", "SURPASS",
        "TRESPASS", "TURKEY", "UNDERPASS", "WHISKEY",
    )
)  # fmt: skip
SECRET_PARTS = (
    "ACCESSKEY", "APIKEY", "CONNECTIONSTR", "CONNSTR", "CREDENTIAL", "KEYSTORE", "KEYTAB",
    "KUBECONFIG", "PASSCODE", "PASSPHRASE", "PASSWD", "PASSWORD", "PRIVATEKEY", "SECRETKEY",
    "SEEDPHRASE", "WEBHOOK",
)  # fmt: skip
"""Anywhere in a name, with or without `_` inside."""
SECRET_PREFIXES = ("AWS_", "_", "AZURE_", "OPENAI_", "FORWARD_", "LAMBDA_")
OWN_SETTINGS = frozenset(row.name for row in ALL_SETTINGS)


def system_prompt(
    name: str, patterns: tuple[str, ...], environ: Mapping[str, str], secrets: Iterable[str]
) -> str:
    """The value of the environment variable `name`, if it may be a prompt.

    A value that contains one of the `secrets` may not. Raises PromptTemplateNotAllowed, whether or
    not the variable exists, and PromptTemplateNotFound for a permitted name without a value.
    """
    prompt = environ.get(name, "") if _is_permitted(name, patterns) else None
    if prompt is None or _holds_secret(prompt, secrets):
        raise PromptTemplateNotAllowed(
            "This prompt_template is not allowed. Its name must match PROMPT_TEMPLATES "
            f"({', '.join(patterns)}), and it must not be a secret.",
            param="prompt_template",
        )
    if not prompt:
        raise PromptTemplateNotFound(
            f"Unknown prompt_template {name}. No environment variable of this name is set.",
            param="prompt_template",
        )
    return prompt


def _is_permitted(name: str, patterns: tuple[str, ...]) -> bool:
    upper = name.upper()
    whole = upper.replace("_", "")
    return (
        re.fullmatch(VARIABLE_NAME, name) is not None
        and not upper.startswith(SECRET_PREFIXES)
        and upper not in OWN_SETTINGS
        and not any(map(_is_secret_word, upper.split("_")))
        and not any(part in whole for part in SECRET_PARTS)
        and any(fnmatchcase(name, pattern) for pattern in patterns)
    )


def _is_secret_word(word: str) -> bool:
    stem = word.rstrip("0123456789")
    forms = {word, stem, stem.removesuffix("S")}
    if forms & HARMLESS_WORDS:
        return False
    return bool(forms & SECRET_WORDS) or any(form.endswith(SECRET_ENDINGS) for form in forms)


def _holds_secret(prompt: str, secrets: Iterable[str]) -> bool:
    text = prompt.encode("utf-8", "replace")
    return SecretMask(secrets).apply(text) is not text
