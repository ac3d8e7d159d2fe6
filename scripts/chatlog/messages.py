"""The messages of a conversation as chat completions have them (no I/O)."""

from __future__ import annotations

from typing import Any

from scripts.chatlog.chat_lines import ChatLine

Message = dict[str, Any]


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
    first = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(asked, str):
        return [*first, {"role": "user", "content": asked}]
    items = [_of_item(item) for item in asked] if isinstance(asked, list) else [None]
    found = [item for item in items if item is not None]
    return [*first, *found] if len(found) == len(items) else None


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
