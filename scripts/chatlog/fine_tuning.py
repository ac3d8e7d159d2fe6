"""Conversations as examples of OpenAI's fine-tuning: `{"messages": […], "tools": […]}` (no I/O).

https://developers.openai.com/api/docs/guides/supervised-fine-tuning
"""

from __future__ import annotations

from typing import Any

from scripts.chatlog.chat_lines import ChatLine
from scripts.chatlog.messages import Message, chat_messages, text_of
from scripts.chatlog.tally import FAILED, NOT_A_CHAT, NOT_VALID, Tally
from scripts.chatlog.targets import has_failed

FINISHED = ("stop", "tool_calls", "function_call", "completed")
"""How an answer ends that is whole."""
ROLES = {"developer": "system", "function": "tool"}
"""Roles that the format has under another name."""
USER_PARTS = ("text", "image_url")
NAMELESS_ID = "call_{}"
"""The id of a call of a function, which had none."""


def example(line: ChatLine, tally: Tally) -> dict[str, Any] | None:
    """The example that ends with the model's answer; None if the conversation makes none."""
    asked = chat_messages(line)
    if asked is None:
        tally.left_out[NOT_A_CHAT] += 1
        return None
    if has_failed(line) or line.get("finish_reason", "stop") not in FINISHED:
        tally.left_out[FAILED] += 1
        return None
    calls = {name: line[name] for name in ("tool_calls", "function_call") if line.get(name)}
    answer = {"role": "assistant", "content": line.get("answer"), **calls}
    messages = _valid([*asked, answer])
    if messages is not None and not _answers_calls(messages):
        messages = None
    tools = _tools(line)
    if messages is None or tools is None:
        tally.left_out[NOT_VALID] += 1
        return None
    return {"messages": messages, **({"tools": tools} if tools else {})}


def _valid(messages: list[Message]) -> list[Message] | None:
    """The messages with what the format knows; None if one of them has no valid form."""
    found: list[Message] = []
    for message in messages:
        role = ROLES.get(message["role"], message["role"])
        made = _MADE[role](message, len(found)) if role in _MADE else None
        if made is None:
            return None
        name = message.get("name")
        is_named = isinstance(name, str) and role in ("system", "user", "assistant")
        found.append({"role": role, **made, **({"name": name} if is_named else {})})
    return found


def _answers_calls(messages: list[Message]) -> bool:
    """Whether each result follows its call, and nothing comes before the results of all calls."""
    unanswered: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in unanswered:
                return False
            unanswered.remove(message["tool_call_id"])
        elif unanswered:
            return False
        else:
            unanswered = {call["id"] for call in message.get("tool_calls", ())}
    return True


def _system(message: Message, _place: int) -> Message | None:
    text = text_of(message.get("content"))
    return None if text is None else {"content": text}


def _user(message: Message, _place: int) -> Message | None:
    content = message.get("content")
    text = text_of(content)
    if text is not None:
        return {"content": text}
    parts = content if isinstance(content, list) else [None]
    is_known = all(isinstance(part, dict) and part.get("type") in USER_PARTS for part in parts)
    return {"content": content} if is_known else None


def _assistant(message: Message, place: int) -> Message | None:
    text = text_of(message.get("content"))
    function = message.get("function_call")
    if function:
        calls = [{"id": NAMELESS_ID.format(place), "type": "function", "function": function}]
    else:
        calls = message.get("tool_calls") or []
    if not calls:
        return {"content": text} if text else None
    known = [_call(call) for call in calls] if isinstance(calls, list) else [None]
    if None in known:
        return None
    return {**({"content": text} if text else {}), "tool_calls": known}


def _call(call: object) -> Message | None:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        return None
    name, arguments, name_of_call = function.get("name"), function.get("arguments"), call.get("id")
    if not all(isinstance(text, str) for text in (name, arguments, name_of_call)):
        return None
    made = {"name": name, "arguments": arguments}
    return {"id": name_of_call, "type": "function", "function": made}


def _tool(message: Message, place: int) -> Message | None:
    is_function = message["role"] == "function"
    call = NAMELESS_ID.format(place - 1) if is_function else message.get("tool_call_id")
    text = text_of(message.get("content"))
    return {"tool_call_id": call, "content": text} if isinstance(call, str) and text else None


_MADE = {"system": _system, "user": _user, "assistant": _assistant, "tool": _tool}


def _tools(line: ChatLine) -> list[Any] | None:
    """The functions that the model could call; None if there were tools of other kinds."""
    tools, functions = line.get("tools") or [], line.get("functions") or []
    if not (isinstance(tools, list) and isinstance(functions, list)):
        return None
    found = [_tool_of(each) for each in tools or functions]
    return None if None in found else found


def _tool_of(tool: Any) -> dict[str, Any] | None:
    """A function in the form of chat completions; None for a tool of another kind.

    /responses has the members of the function at the top, and so have `functions`.
    """
    if not isinstance(tool, dict) or tool.get("type", "function") != "function":
        return None
    bare = {name: value for name, value in tool.items() if name != "type"}
    function = tool.get("function", bare)
    is_named = isinstance(function, dict) and isinstance(function.get("name"), str)
    return {"type": "function", "function": function} if is_named else None
