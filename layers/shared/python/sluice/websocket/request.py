"""The messages that a client may send over the WebSocket."""

from __future__ import annotations

from sluice.completions.request import is_template, parse_object, parse_template, plain_request
from sluice.error_body import MAX_ID_CHARACTERS
from sluice.errors import InvalidField, InvalidJson, RequestError
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sluice.completions.request import TemplateRequest

FORMS = (
    '{"action":"sendmessage","data":"text"}, {"prompt_template", "messages", "response_type"}, '
    '{"action":"chat","id","request"}, {"action":"cancel","id"} or {"action":"ping"}'
)


class PlainPrompt(NamedTuple):
    """{"action": "sendmessage", "data": "text"}: streamed without an end mark."""

    template: TemplateRequest


class Chat(NamedTuple):
    """{"action": "chat", "id", "request"}, or the provider's own JSON alone, which has no id."""

    id: str | None
    request: dict[str, Any]


class Cancel(NamedTuple):
    """{"action": "cancel", "id"}: stop the answer to the request with this id."""

    id: str


class Ping(NamedTuple):
    """{"action": "ping"}: keeps the connection open, and shows that the service answers."""


class Unreadable(NamedTuple):
    """An invalid message."""

    error: RequestError


def parse_websocket_request(body: str) -> TemplateRequest | PlainPrompt | Chat | Unreadable:
    """Read a message for the model."""
    try:
        return _parse(parse_object(body))
    except RequestError as error:
        return Unreadable(error)


def parse_control(body: str) -> Cancel | Ping | Unreadable:
    """Read a message of the routes cancel and ping."""
    try:
        document = parse_object(body)
        action = document.get("action")
        if action == "ping":
            return Ping()
        if action == "cancel":
            return Cancel(_id(document))
        raise _unknown_message()
    except RequestError as error:
        return Unreadable(error)


def client_id(body: str) -> str | None:
    """The id of the client's request, if it has a readable one."""
    try:
        value = parse_object(body).get("id")
    except InvalidJson:
        return None
    return value if isinstance(value, str) else None


def _parse(document: dict[str, Any]) -> TemplateRequest | PlainPrompt | Chat:
    action = document.pop("action", None)
    if action == "chat":
        return _chat(document)
    if action == "sendmessage" and "data" in document:
        return PlainPrompt(plain_request(_prompt(document["data"])))
    if is_template(document) or ("messages" in document and "model" not in document):
        return parse_template(document)
    if "messages" in document:
        return Chat(None, document)
    if action == "sendmessage":
        raise InvalidField("data must be text.", param="data")
    raise _unknown_message()


def _unknown_message() -> InvalidField:
    return InvalidField(f"Unknown message. Expected {FORMS}.", param="action")


def _chat(document: dict[str, Any]) -> Chat:
    request = document.get("request")
    if not isinstance(request, dict):
        raise InvalidField(
            "request must be the provider's own request, {messages, …}.", param="request"
        )
    return Chat(_id(document), request)


def _id(document: dict[str, Any]) -> str:
    value = document.get("id")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARACTERS:
        raise InvalidField(f"id must be text of 1 to {MAX_ID_CHARACTERS} characters.", param="id")
    return value


def _prompt(data: object) -> str:
    if not isinstance(data, str) or not data:
        raise InvalidField("data must be text.", param="data")
    return data
