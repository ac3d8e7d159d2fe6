"""What a client may send over the WebSocket."""

from __future__ import annotations

import json

import pytest

from sluice.completions.request import Message, ResponseType, TemplateRequest
from sluice.errors import InvalidField, InvalidJson
from sluice.websocket.request import (
    Cancel,
    Chat,
    Ping,
    PlainPrompt,
    Unreadable,
    client_id,
    parse_control,
    parse_websocket_request,
)

HELLO = [{"role": "user", "content": "Hello"}]
NATIVE = {"model": "m", "messages": HELLO, "tools": []}


def test_plain_prompt_is_one_user_message() -> None:
    request = parse_websocket_request('{"action":"sendmessage","data":"こんにちは"}')
    assert isinstance(request, PlainPrompt)
    assert request.template.messages == (Message("user", "こんにちは"),)
    assert request.template.response_type is ResponseType.STREAM


@pytest.mark.parametrize("other", [{}, {"action": "sendmessage"}, {"id": "7", "temperature": 0.2}])
def test_other_fields_of_a_template_request_are_ignored(other: dict[str, object]) -> None:
    request = parse_websocket_request(json.dumps({**other, "messages": HELLO}))
    assert isinstance(request, TemplateRequest)


def test_chats_and_control_messages() -> None:
    chat = {"action": "chat", "id": "7", "request": NATIVE}
    assert parse_websocket_request(json.dumps(chat)) == Chat("7", NATIVE)
    assert parse_websocket_request(json.dumps(NATIVE)) == Chat(None, NATIVE)
    assert parse_control('{"action": "ping"}') == Ping()
    assert parse_control('{"action": "cancel", "id": "7"}') == Cancel("7")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ('{"action":"sendmessage"}', "data"),
        ('{"action":"sendmessage","data":""}', "data"),
        ('{"action":"dance"}', "action"),
        ('{"action":["sendmessage"],"data":"x"}', "action"),
        ('{"action":"chat","id":"7","request":[]}', "request"),
        ('{"action":"chat","id":7,"request":{}}', "id"),
        ('{"action":"chat","id":"","request":{}}', "id"),
        ('{"action":"cancel"}', "id"),
        (f'{{"action":"cancel","id":"{"x" * 257}"}}', "id"),
    ],
)
def test_wrong_field_is_named(body: str, param: str) -> None:
    parse = parse_control if "cancel" in body else parse_websocket_request
    request = parse(body)
    assert isinstance(request, Unreadable)
    assert isinstance(request.error, InvalidField)
    assert request.error.param == param


def test_text_that_is_not_json_is_unreadable() -> None:
    request = parse_websocket_request("Hello?")
    assert isinstance(request, Unreadable)
    assert isinstance(request.error, InvalidJson)


@pytest.mark.parametrize(
    ("body", "value"),
    [('{"id":"7"}', "7"), ('{"id":7}', None), ("{}", None), ("no json", None), ("[]", None)],
)
def test_client_id_is_the_text_it_gave(body: str, value: str | None) -> None:
    assert client_id(body) == value
