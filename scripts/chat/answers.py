"""What is asked, and what the events of a streamed answer hold (no I/O)."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from scripts.access.errors import ToolError
from scripts.access.table import printable
from sluice.upstream.error_words import error_in, is_error

MAX_ERROR_CHARACTERS = 2000
"""Maximum length of an error's text, in characters: what fits on a screen."""

ASKS_FOR_TOKENS = "stream_options"
"""Asks for the number of tokens. Some providers know no such field, and say so."""


@dataclass(frozen=True, slots=True)
class Question:
    """The messages so far, and who answers: a model or a template's; empty for the default."""

    model: str = ""
    template: str = ""
    messages: tuple[Mapping[str, str], ...] = ()

    def followed_by(self, role: str, text: str) -> Question:
        return replace(self, messages=(*self.messages, {"role": role, "content": text}))

    def chat(self) -> dict[str, Any]:
        """A request for a chat completion."""
        model = {"model": self.model} if self.model else {}
        return {
            **model,
            "messages": self.messages,
            "stream": True,
            ASKS_FOR_TOKENS: {"include_usage": True},
        }

    def templated(self) -> dict[str, Any]:
        """A template request."""
        return {
            "prompt_template": self.template,
            "messages": self.messages,
            "response_type": "stream",
        }


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer. tokens: of the whole answer; None if the part does not say."""

    text: str = ""
    tokens: int | None = None
    finish: str = ""


class Transport(Protocol):
    """A way to the service."""

    def answer(self, question: Question) -> Generator[Piece, None, None]:
        """Yield the answer as it comes. Raises ToolError.

        At a Ctrl-C it stops the model and raises KeyboardInterrupt.
        """

    def close(self) -> None:
        """Close what is open."""


def piece_of(event: object) -> Piece:
    """What an event or a whole completion adds to the answer. Raises ToolError for an error."""
    if is_error(event):
        raise ToolError(reported(event))
    if not isinstance(event, dict):
        return Piece()
    choice = _object(_first(event.get("choices")))
    said = _object(choice.get("delta") or choice.get("message"))
    text = _text(said.get("content")) or _text(said.get("refusal"))
    tokens = _object(event.get("usage")).get("completion_tokens")
    finish = choice.get("finish_reason")
    return Piece(
        text,
        tokens if isinstance(tokens, int) else None,
        finish if isinstance(finish, str) else "",
    )


def reported(document: object) -> str:
    """The words of an error, on one line and without what a terminal obeys."""
    words = (error_in(document) or {}).get("message") or "The service reported an error."
    return printable(" ".join(str(words)[:MAX_ERROR_CHARACTERS].split()))


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """A text, or the texts of a list of parts, without thinking."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    return "".join(t for part in parts if isinstance(t := _object(part).get("text"), str))
