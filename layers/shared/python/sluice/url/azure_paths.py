"""The paths of Azure OpenAI's clients, such as OpenAI's AzureOpenAI. No I/O.

/openai/deployments/{deployment}/chat/completions?api-version=…, or /openai/v1 instead of /v1.
https://learn.microsoft.com/azure/ai-foundry/openai/reference
"""

from __future__ import annotations

import re
from urllib.parse import unquote

DEPLOYMENT = re.compile(
    r"/+openai/+deployments/+(?P<deployment>.+?)"
    r"/+(?P<path>(?:chat/+)?completions|(?:audio|images)/+\w+|\w+)/*"
)
"""A deployment's name may hold a slash, which not all clients encode."""
OTHER = re.compile(r"/+openai/+(?:v1/+)?(?P<path>.+)")


def openai_path(path: str) -> tuple[str, str | None] | None:
    """What an Azure path is below /v1 of OpenAI's API, and the deployment that it names, if any."""
    found = DEPLOYMENT.fullmatch(path)
    if found is not None:
        return f"/{found['path']}", unquote(found["deployment"])
    found = OTHER.fullmatch(path)
    return None if found is None else (f"/{found['path']}", None)
