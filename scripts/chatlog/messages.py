"""The messages of a conversation as chat completions have them (no I/O)."""

from __future__ import annotations

from typing import Any

from scripts.chatlog.chat_lines import ChatLine

Message = dict[str, Any]
REASONING = "reasoning"
"""Items of /responses that chats do not have, and models may do without."""


def chat_messages(line: ChatLine) -> list[Message] | None:
    """The messages that were asked, also those of /responses; None if it was no chat."""
    messages = line.get("messages")
    if messages is None and "input" in line and "finish_reason" in line:
        messages = _of_response(line)
    is_chat = isinstance(messages, list) and all(
        isinstance(each, dict) and isinstance(each.get("role"), str) for each in messages
    )
    return messages if is_chat and messages else None


def text_of(content: object) -> str | None:
    """A content as text; None if it is not text, or not text alone."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [part.get("text") if isinstance(part, dict) else None for part in content]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else None  # type: ignore[arg-type] # they are


def _of_response(line: ChatLine) -> list[Message] | None:
    asked = line["input"]
    instructions = line.get("instructions")
    found: list[Message] = []
    if instructions:
        found.append({"role": "system", "content": instructions})
    items = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
    for item in items:
        if isinstance(item, dict) and item.get("type") == REASONING:
            continue
        message = _of_item(item)
        if message is None:
            return None
        if found and "tool_calls" in message and "tool_calls" in found[-1]:
            found[-1]["tool_calls"] += message["tool_calls"]  # calls that were made at once
        else:
            found.append(message)
    return found


def _of_item(item: object) -> Message | None:
    """An input item of /responses as a message; None if it has no such form."""
    if not isinstance(item, dict):
        return None
    kind, call = item.get("type", "message"), item.get("call_id")
    if kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        calls = [{"id": call, "type": "function", "function": function}]
        return {"role": "assistant", "content": None, "tool_calls": calls}
    if kind == "function_call_output":
        return {"role": "tool", "tool_call_id": call, "content": item.get("output")}
    content = text_of(item.get("content"))
    is_message = kind == "message" and content is not None
    return {"role": item.get("role"), "content": content} if is_message else None
