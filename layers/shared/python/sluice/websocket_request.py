"""What a client may send over the WebSocket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.errors import InvalidField, InvalidJson
from sluice.model_request import is_template, parse_object, parse_template, plain_request

if TYPE_CHECKING:
    from sluice.model_request import TemplateRequest

FORMS = '{"action":"sendmessage","data":"text"} or {"prompt_template", "messages", "response_type"}'


@dataclass(frozen=True, slots=True)
class PlainPrompt:
    """{"action": "sendmessage", "data": "text"}: streamed without a mark at its end."""

    template: TemplateRequest


@dataclass(frozen=True, slots=True)
class Ping:
    """{"action": "ping"}: keeps the connection from idling and shows that somebody answers."""


def parse_websocket_request(body: str) -> TemplateRequest | PlainPrompt | Ping:
    """Read a message. Raises InvalidJson, InvalidField."""
    document = parse_object(body)
    action = document.pop("action", None)
    if action == "ping":
        return Ping()
    if action == "sendmessage" and "data" in document:
        return PlainPrompt(plain_request(_prompt(document["data"])))
    if is_template(document) or ("messages" in document and "model" not in document):
        return parse_template(document)
    if action == "sendmessage":
        raise InvalidField("data: expected text.", param="data")
    raise InvalidField(f"action: expected {FORMS}.", param="action")


def client_id(body: str) -> str | None:
    """The id a client gave its request, if it did and it can be read."""
    try:
        value = parse_object(body).get("id")
    except InvalidJson:
        return None
    return value if isinstance(value, str) else None


def _prompt(data: object) -> str:
    if not isinstance(data, str) or not data:
        raise InvalidField("data: expected text.", param="data")
    return data
