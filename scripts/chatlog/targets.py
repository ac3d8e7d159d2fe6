"""What conversations become: openai-forward's entries and our own lines (no I/O)."""

from __future__ import annotations

import re
from typing import Any

from scripts.chatlog.chat_lines import ChatLine
from scripts.chatlog.messages import chat_messages
from scripts.chatlog.tally import FAILED, NOT_A_CHAT, Tally

TOOL_FIELDS = ("tools", "tool_calls", "is_tool_calls")
FUNCTION_FIELDS = ("functions", "function_call", "is_function_call")
"""Those of openai-forward until version 0.6."""
ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\S*")


def own_line(line: ChatLine, _tally: Tally) -> ChatLine:
    return line


def forward_entry(line: ChatLine, tally: Tally) -> dict[str, Any] | None:
    """An entry as `aifd convert` writes it: its own logs become the same."""
    messages = chat_messages(line)
    if messages is None or has_failed(line):
        tally.left_out[NOT_A_CHAT if messages is None else FAILED] += 1
        return None
    has_functions = "functions" in line or "function_call" in line
    tools, calls_name, is_call = FUNCTION_FIELDS if has_functions else TOOL_FIELDS
    calls = line.get(calls_name)
    return {
        "datetime": ISO_TIME.sub(r"\1 \2", str(line["datetime"])),
        "ip": line.get("source_ip"),
        "model": line.get("model"),
        "temperature": line.get("temperature", 1),
        "messages": [{each["role"]: _text(each.get("content"))} for each in messages],
        tools: line.get(tools),
        is_call: bool(calls),
        "assistant": _text(calls or line.get("answer")),
    }


def has_failed(line: ChatLine) -> bool:
    """Whether the request failed, or its stream reported an error."""
    return line.get("outcome") != "ok" or bool(line.get("error"))


def _text(value: object) -> str:
    """Python's text of it, as openai-forward has it."""
    return str(value).encode("utf-8", "ignore").decode()
