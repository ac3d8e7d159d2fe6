"""Conversations in openai-forward's own logs: `Log/*/chat/*.log`, of any of its versions.

Each line is a Python literal: a request with `messages`, or an answer with `assistant`, both with a
`uid`. Answers of several requests are interleaved, also over the files of a rotation.
https://github.com/KenyonY/openai-forward
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from scripts.chatlog.chat_lines import ChatLine
from scripts.chatlog.tally import NO_PAIR, NOT_A_CHAT, Tally


class _Place(NamedTuple):
    """Where a line is. Lines are read twice, so that no file has to fit into memory."""

    file: int
    offset: int


def is_forward_log(line: bytes) -> bool:
    """Whether a file with this first line is such a log: JSON has other quotation marks."""
    return line.lstrip().startswith(b"{'")


def forward_conversations(files: Sequence[Path], tally: Tally) -> Iterator[ChatLine]:
    """The conversations, in the order of their requests. Raises OSError."""
    with ExitStack() as opened:
        handles = [opened.enter_context(file.open("rb")) for file in files]
        requests: dict[str, _Place] = {}
        answers: dict[str, _Place] = {}
        for number, handle in enumerate(handles):
            _find(handle, number, requests, answers, tally)
        if unpaired := len(requests.keys() ^ answers.keys()):
            tally.left_out[NO_PAIR] += unpaired
        for uid, place in requests.items():
            if uid in answers:
                yield _conversation(_at(handles, place), _at(handles, answers[uid]))


def _find(
    handle: BinaryIO,
    number: int,
    requests: dict[str, _Place],
    answers: dict[str, _Place],
    tally: Tally,
) -> None:
    offset = 0
    for line in handle:
        place, offset = _Place(number, offset), offset + len(line)
        entry = _entry(line)
        uid = (entry or {}).get("uid")
        if entry is None or not isinstance(uid, str):
            tally.broken += bool(line.strip())
        elif _is_request(entry):
            requests[uid] = place
        elif "assistant" in entry:
            answers[uid] = place
        else:
            tally.left_out[NOT_A_CHAT] += 1


def _is_request(entry: ChatLine) -> bool:
    messages = entry.get("messages")
    return isinstance(messages, list) and bool(messages) and all(map(_is_message, messages))


def _is_message(message: object) -> bool:
    return isinstance(message, dict) and isinstance(message.get("role"), str)


def _at(handles: Sequence[BinaryIO], place: _Place) -> ChatLine:
    handle = handles[place.file]
    handle.seek(place.offset)
    return _entry(handle.readline()) or {}


def _entry(line: bytes) -> ChatLine | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote the line
            entry: Any = ast.literal_eval(line.decode())
        # What JSON does not know, such as bytes, becomes Python's text of it.
        entry = json.loads(json.dumps(entry, default=str, allow_nan=False))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _conversation(request: ChatLine, answer: ChatLine) -> ChatLine:
    """The pair as a line of our own chat log."""
    said = answer.get("assistant")
    line = {
        "datetime": request.get("datetime"),
        "source_ip": request.get("ip") or request.get("forwarded-for"),
        "model": request.get("model"),
        "outcome": "ok",
        "stream": request.get("stream"),
        "temperature": request.get("temperature", 1),
        "messages": request["messages"],
        "answer": said,
    }
    has_functions = "is_function_call" in answer  # until version 0.6
    asked_with = "functions" if has_functions else "tools"
    if has_functions or request.get("tools"):
        line[asked_with] = request.get(asked_with)
    if answer.get("is_function_call") or answer.get("is_tool_calls"):
        line["answer"] = None
        line["function_call" if has_functions else "tool_calls"] = said
    return line
