"""Answers over a WebSocket, against a server that does what a test says."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from websockets.sync.server import ServerConnection, serve

from scripts.access.errors import ToolError
from scripts.chat.answers import Question
from scripts.chat.interrupts import Interrupts
from scripts.chat.place import Place, Way
from scripts.chat.websocket_chat import WebSocketChat

QUESTION = Question().followed_by("user", "Hi")
OF_TEMPLATE = Question(template="PROMPT_TEST").followed_by("user", "Hi")


@contextmanager
def chat_with(
    handler: Callable[[ServerConnection], None], interrupts: Interrupts
) -> Iterator[WebSocketChat]:
    with serve(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        place = Place(f"ws://127.0.0.1:{port}", "us-east-1", is_local=True)
        with closing(WebSocketChat(place, iter([Way()]), interrupts)) as chat:
            yield chat
        server.shutdown()
        thread.join()


def text_of(chat: WebSocketChat, question: Question = QUESTION) -> str:
    return "".join(piece.text for piece in chat.answer(question))


def frame(name: str, text: str, **more: object) -> str:
    events = [{"choices": [{"delta": {"content": text}}]}]
    return json.dumps({"id": name, "seq": 0, "events": events, **more})


def test_ctrl_c_that_comes_too_late_does_not_stop_the_next_answer() -> None:
    def handler(connection: ServerConnection) -> None:
        for message in connection:
            name = json.loads(message)["id"]
            connection.send(frame("of another answer", "not this"))
            connection.send(frame(name, f"answer {name}", done=True))

    with Interrupts() as interrupts, chat_with(handler, interrupts) as chat:
        first = chat.answer(QUESTION)
        assert next(first).text == "answer 1"
        signal.raise_signal(signal.SIGINT)
        assert list(first) == []
        assert text_of(chat) == "answer 2"


def test_stopped_answer_that_never_ends_is_dropped_at_the_next_ctrl_c() -> None:
    def handler(connection: ServerConnection) -> None:
        for message in connection:
            if json.loads(message)["action"] == "chat":
                connection.send(frame(json.loads(message)["id"], "text"))

    with Interrupts() as interrupts, chat_with(handler, interrupts) as chat:
        answer = chat.answer(QUESTION)
        next(answer)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            next(answer)
        assert next(chat.answer(QUESTION)).text == "text"  # over a new connection


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (['{"message": "Internal server error", "connectionId": "c", "requestId": "r"}'], "server"),
        (['{"error": {"message": "Too many", "code": "x"}, "requestId": "r"}'], "Too many"),
        ([], "The connection ended before the answer"),
    ],
)
def test_errors_of_the_service_and_of_api_gateway(frames: list[str], words: str) -> None:
    def handler(connection: ServerConnection) -> None:
        connection.recv()
        for each in frames:
            connection.send(each)

    for question in (QUESTION, OF_TEMPLATE):
        raises = pytest.raises(ToolError, match=words)
        with Interrupts() as interrupts, chat_with(handler, interrupts) as chat, raises:
            text_of(chat, question)


def test_text_of_a_template_may_look_like_json() -> None:
    def handler(connection: ServerConnection) -> None:
        connection.recv()
        for each in ('{"error": "said by the model"}', " [1]", "<END>"):
            connection.send(each)

    with Interrupts() as interrupts, chat_with(handler, interrupts) as chat:
        assert text_of(chat, OF_TEMPLATE) == '{"error": "said by the model"} [1]'
