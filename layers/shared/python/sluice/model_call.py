"""What is asked of a model's API, before it is known where it goes and by which key. No I/O."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json"
MULTIPART = "multipart/form-data"
OBJECT = re.compile(rb"\s*{")
MODEL_FIELD = re.compile(
    rb'\r\ncontent-disposition:[^\r\n]*;\s*name="?model"?\s*(?:;[^\r\n]*)?\r\n'
    rb"(?:[^\r\n]+\r\n)*\r\n([^\r\n]{1,256})\r\n",
    re.IGNORECASE,
)
"""The part of a form that names the model. RFC 7578 section 4.2."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A request below an API's root, such as POST /chat/completions.

    path: percent-encoded, as the client sent it. query: the same, without its "?". headers: names
    in lower case, only those that may go on. model: which one the body names, if it does.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    model: str | None

    def by_model(self, model: str) -> ModelCall:
        """The same asked of another model. Only where the body is JSON; a form stays as it is."""
        if not self.headers.get("content-type", "").startswith(JSON):
            return self
        document = json.loads(self.body)
        return replace(self, body=json.dumps({**document, "model": model}).encode(), model=model)


def chat_call(body: bytes, model: str | None = None) -> ModelCall:
    """The chat completion that the JSON `body` asks for."""
    headers = {"content-type": JSON}
    return ModelCall(
        "POST", "/chat/completions", "", headers, body, model or model_of(headers, body)
    )


def model_of(headers: Mapping[str, str], body: bytes) -> str | None:
    """The model that a body names, in JSON or in a form; None where it names none."""
    content_type = headers.get("content-type", "").lower()
    if content_type.startswith(MULTIPART):
        found = MODEL_FIELD.search(body)
        return found[1].decode("utf-8", "replace").strip() if found else None
    if not OBJECT.match(body):
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    model = document.get("model")
    return model if isinstance(model, str) and model else None
