"""What LOG_CHAT=true writes to the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sluice.completions.conversation_lines import lines_of, written
from sluice.completions.conversation_log import MAX_RECORDED_BYTES, Conversation
from sluice.upstream.call import ModelCall, chat_call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY = "not-a-secret-0123"
OTHERS = "sk-proj-a1B2c3D4e5F6"
FIGURES = {"request_id": "r", "outcome": "ok", "usage": {"total_tokens": 3}}
BEGAN = 1_800_000_000.25  # 2027-01-15 08:00:00.250 UTC


def line_of(
    call: ModelCall, *events: str, figures: Mapping[str, Any] = FIGURES, **options: Any
) -> dict[str, Any]:
    conversation = Conversation(call, call, lambda: (KEY,), wall_clock=lambda: BEGAN, **options)
    for event in events:
        conversation.add_event(event)
    (line,) = lines_of(conversation, figures)
    document: dict[str, Any] = json.loads(line, parse_constant=pytest.fail)
    return document


def chat(content: Any, **members: Any) -> ModelCall:
    messages = [{"role": "user", "content": content}]
    return chat_call(json.dumps({"messages": messages, **members}).encode())


def answer(text: str) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]})


def test_line_has_the_figures_the_time_and_the_address() -> None:
    line = line_of(chat("Hi", model="m"), source_ip="192.0.2.1")
    assert line == {
        **FIGURES,
        "datetime": "2027-01-15T08:00:00.250Z",
        "source_ip": "192.0.2.1",
        "model": "m",
        "stream": False,
        "messages": [{"role": "user", "content": "Hi"}],
        "answer": None,
    }


def test_figures_know_better_which_model_answered() -> None:
    figures = {**FIGURES, "model": "fallback"}
    assert line_of(chat("Hi", model="m"), figures=figures)["model"] == "fallback"


@pytest.mark.parametrize(
    "call",
    [
        chat_call(b"\x00\xff"),
        chat_call(b"[]"),
        chat_call(b'{"model": "m"}'),
        ModelCall("POST", "/files", "", {"content-type": "multipart/form-data"}, b"--x", None),
    ],
)
def test_request_without_a_prompt_has_its_usual_line(call: ModelCall) -> None:
    assert line_of(call) == FIGURES


def test_keys_are_masked_wherever_they_stand() -> None:
    call = chat(f"a line end and \n{KEY}", tools=[{KEY: [f"x{KEY}", OTHERS, 1]}])
    line = line_of(call, answer(KEY[:5]), answer(f"{KEY[5:]} \n{OTHERS}"))
    assert line["messages"] == [{"role": "user", "content": "a line end and \n[key]"}]
    assert line["tools"] == [{"[key]": ["x[key]", "[key]", 1]}]
    assert line["answer"] == "[key] \n[key]"
    # Alone, without anything that looks like a provider's key.
    for line in (line_of(chat(KEY)), line_of(chat("Hi"), answer(KEY))):
        assert "[key]" in str(line)
        assert KEY not in str(line)
    assert "risk-free tasks" in line_of(chat("risk-free tasks"))["messages"][0]["content"]


def test_line_is_json_whatever_was_said() -> None:
    body = b'{"prompt": "\\ud83d", "temperature": 1e400}'
    line = line_of(chat_call(body), answer("a\ud83d"), answer("\ude00b"))
    assert (line["prompt"], line["temperature"], line["answer"]) == ("\ufffd", None, "a😀b")


def test_line_of_the_file_is_one_line_for_every_program() -> None:
    said = {"text": "你好 é 😀 \n \x1b \x7f \x85 \x9b \u2028 \u2029"}
    line = written(said)
    assert json.loads(line) == said
    assert "你好 é 😀" in line
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_file_gets_the_same_line_and_its_failure_is_only_named(tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    line = line_of(chat("你好"), answer("Hi"), file=str(file))
    assert json.loads(file.read_text("utf-8")) == line
    line = line_of(chat("Hi"), answer("Hi"), file=str(file / "private"))
    assert (line["chat_file"], line["answer"]) == ("NotADirectoryError", "Hi")


def test_line_says_that_an_answer_was_too_long_to_be_kept() -> None:
    tenth = "x" * (MAX_RECORDED_BYTES // 10)
    conversation = Conversation(chat("Hi"), chat("Hi"), tuple)
    for _ in range(12):
        conversation.add_event(answer(tenth))
    figures, *parts = map(json.loads, lines_of(conversation, FIGURES))
    line = json.loads("".join(part["text"] for part in parts))
    assert (figures["chat_parts"], line["is_cut"]) == (len(parts), True)
    assert len(tenth) * 9 <= len(line["answer"]) <= MAX_RECORDED_BYTES
