"""A client's request, on either transport, and the upstream request it becomes.

A template request is the gateway's own form: {"prompt_template", "messages", "response_type"}.
A native request is the provider's JSON and passes through.
"""

from __future__ import annotations

import json
from enum import Enum

from sluice.errors import InvalidField, InvalidJson
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from sluice.authentication import Principal
    from sluice.deadline import Deadline
    from sluice.request_log import RequestLog
    from sluice.settings import Settings
    from sluice.stop_signal import StopSignal
    from sluice.upstream.call import ModelCall
    from sluice.upstream.targets import Target

CACHING = b'"caching"'
"""In a request's JSON. Within a text its quotation marks would be escaped."""
CLIENT_ROLES = ("user", "assistant")  # the system prompt belongs to the operator


class NotANumberError(ValueError):
    """NaN, Infinity or -Infinity, which Python reads and JSON does not know."""


class ResponseType(Enum):
    """The part of the model's answer that the client requests."""

    INT = "int"
    STRING = "string"
    FULL = "full"
    STREAM = "stream"


class Message(NamedTuple):
    role: str
    content: str | list[Any]
    """Text, or the provider's content parts (text, image_url, …)."""


class TemplateRequest(NamedTuple):
    """caching: what the client says of the cache, as openai-forward's clients do."""

    prompt_template: str | None
    messages: tuple[Message, ...]
    response_type: ResponseType
    caching: bool | None = None

    def documents(self) -> list[dict[str, Any]]:
        """The messages as JSON has them."""
        return [message._asdict() for message in self.messages]


class NativeRequest(NamedTuple):
    """The provider's own JSON: `body` as the client sent it, `document` parsed."""

    body: bytes
    document: dict[str, Any]


class PendingRequest(NamedTuple):
    """One request, and everything that its answer needs.

    call: what goes to `target`. headers: the client's. principal: who sent it, if that is known.
    """

    request: TemplateRequest | ModelCall
    call: ModelCall
    headers: Mapping[str, str]
    target: Target
    principal: Principal | None
    log: RequestLog
    deadline: Deadline
    stop_signal: StopSignal | None


def parse_object(body: bytes | str) -> dict[str, Any]:
    """Parse a JSON object. Raises InvalidJson."""
    try:
        if isinstance(body, bytes):
            body = body.decode(json.detect_encoding(body), "surrogatepass")
        document = _decode(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJson(f"Invalid JSON: {_json_fault(error)}.") from error
    if not isinstance(document, dict):
        raise InvalidJson(f"Expected a JSON object, got {_json_kind(document)}.")
    return document


def parse_request(body: bytes) -> TemplateRequest | NativeRequest:
    """Parse a template or native request. Raises InvalidJson, InvalidField.

    A template request has a prompt_template, a response_type, or nothing but messages.
    """
    document = parse_object(body)
    if is_template(document):
        return parse_template(document)
    return NativeRequest(body, document)


def is_template(document: dict[str, Any]) -> bool:
    own_fields = {"prompt_template", "response_type"}
    return bool(own_fields & document.keys()) or document.keys() - {"caching"} == {"messages"}


def parse_template(document: dict[str, Any]) -> TemplateRequest:
    """Check a template request. Unknown fields are ignored."""
    name = document.get("prompt_template")
    if not (name is None or isinstance(name, str)):
        raise InvalidField(
            f"prompt_template must be a name (got {_json_kind(name)}).", param="prompt_template"
        )
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidField(
            "messages must be a list of at least one {role, content}.", param="messages"
        )
    parsed = tuple(_parse_message(index, message) for index, message in enumerate(messages))
    caching = _caching_of(document)
    return TemplateRequest(name or None, parsed, _parse_response_type(document), caching)


def plain_request(text: str) -> TemplateRequest:
    """One user message, with a streamed answer."""
    return TemplateRequest(None, (Message("user", text),), ResponseType.STREAM)


def upstream_body(
    request: TemplateRequest,
    settings: Settings,
    environ: Mapping[str, str],
    secrets: Iterable[str] = (),
) -> bytes:
    """The chat completion for a template request; always streamed.

    secrets: what no prompt may contain. Raises PromptTemplateNotAllowed, PromptTemplateNotFound.
    """
    messages = request.documents()
    if request.prompt_template is not None:
        from sluice.completions.prompt_templates import system_prompt  # noqa: PLC0415 -- few requests name one

        patterns = settings.prompt_template_patterns
        prompt = system_prompt(request.prompt_template, patterns, environ, secrets)
        messages.insert(0, {"role": "system", "content": prompt})
    document = {"model": settings.openai_model, "messages": messages, "stream": True}
    return encoded(document)


def streamed(document: dict[str, Any]) -> NativeRequest:
    """The provider's own request, streamed unless it says otherwise."""
    if document.get("stream") is None:
        document = {**document, "stream": True}
    return NativeRequest(encoded(document), document)


def without_caching(call: ModelCall) -> tuple[ModelCall, bool | None]:
    """A call without openai-forward's member `caching`, which no provider knows, and its value.

    None: the client did not say. Any value but true and false is not openai-forward's, and stays.
    """
    if CACHING not in call.body or not call.is_json:
        return call, None
    try:
        document = json.loads(call.body.decode())
    except (ValueError, RecursionError):
        return call, None
    wish = _caching_of(document) if isinstance(document, dict) else None
    if wish is None:
        return call, None
    return call.without_member("caching"), wish


def _caching_of(document: dict[str, Any]) -> bool | None:
    wish = document.get("caching")
    return wish if isinstance(wish, bool) else None


def encoded(document: dict[str, Any]) -> bytes:
    """A document as JSON. Raises InvalidJson if a number is too large for Python, such as 1e400."""
    try:
        return json.dumps(document, allow_nan=False).encode()
    except ValueError as error:
        raise InvalidJson("Invalid JSON: a number is too large.") from error


def _parse_message(index: int, message: object) -> Message:
    where = f"messages[{index}]"
    if not isinstance(message, dict):
        raise InvalidField(f"{where} must be {{role, content}}.", param=where)
    role, content = message.get("role"), message.get("content")
    if role not in CLIENT_ROLES:
        raise InvalidField(f"{where}.role must be user or assistant.", param=f"{where}.role")
    if not isinstance(content, str | list):
        raise InvalidField(
            f"{where}.content must be text or content parts (got {_json_kind(content)}).",
            param=f"{where}.content",
        )
    return Message(role, content)


def _parse_response_type(document: dict[str, Any]) -> ResponseType:
    value = document.get("response_type", ResponseType.STREAM.value)
    try:
        return ResponseType(value)
    except ValueError as error:
        raise InvalidField(
            f"response_type must be one of {', '.join(kind.value for kind in ResponseType)}.",
            param="response_type",
        ) from error


def reject_constant(name: str) -> None:
    raise NotANumberError(name)


_decode = json.JSONDecoder(parse_constant=reject_constant).decode


def _json_fault(error: Exception) -> str:
    if isinstance(error, NotANumberError):
        return f"{error} is not a number of JSON"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return "it is nested too deeply" if isinstance(error, RecursionError) else "it cannot be read"


def _json_kind(value: object) -> str:
    kinds = {str: "text", bool: "a boolean", list: "a list", dict: "an object", type(None): "null"}
    return kinds.get(type(value), "a number")
