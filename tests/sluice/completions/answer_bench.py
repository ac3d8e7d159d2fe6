"""Reads the answers of a scripted model in each way, and keeps the log lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sluice.completions.answer import ModelAnswer
from sluice.completions.request import NativeRequest, ResponseType, TemplateRequest, plain_request
from sluice.request_log import RequestLog
from tests.scripted_upstream import ScriptedUpstream
from tests.sluice.answering import SECRET, answering_with
from tests.sluice.clocks import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.completions.asking import ModelAnswers

    Read = Callable[[ModelAnswer], str]

FORWARD_KEY = "fk-secret-0123456789"
HELLO = plain_request("Hello")


def bytes_of(answer: ModelAnswer) -> str:
    return b"".join(answer.chunks()).decode()


def events_of(answer: ModelAnswer) -> str:
    return "".join(event.data for event in answer.events())


def deltas_of(answer: ModelAnswer) -> str:
    return "".join(answer.deltas())


def text_of(answer: ModelAnswer) -> str:
    return answer.text(ResponseType.FULL)


EACH_WAY = pytest.mark.parametrize("read", [bytes_of, events_of, deltas_of, text_of])


class AnswerBench:
    """Asks a scripted model; `lines` are the log lines of the last request."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self.upstream = upstream
        self.lines: list[str] = []

    def answers(self, **environ: str) -> ModelAnswers:
        own = {"OPENAI_BASE_URL": self.upstream.url, "OPENAI_API_KEY": SECRET}
        return answering_with({**own, "FORWARD_KEY": FORWARD_KEY, **environ}).answers

    def read(
        self,
        read: Read,
        request: TemplateRequest | NativeRequest = HELLO,
        answers: ModelAnswers | None = None,
        **environ: str,
    ) -> str:
        answers = answers or self.answers(**environ)
        asked = answers.native_call(request) if isinstance(request, NativeRequest) else request
        self.lines.clear()
        with (
            RequestLog("r", "test", write=self.lines.append, source_ip="192.0.2.1") as log,
            answers.ask(asked, log, FOREVER) as answer,
        ):
            return read(answer)

    @property
    def logged(self) -> dict[str, Any]:
        (line,) = self.lines
        fields: dict[str, Any] = json.loads(line)
        return fields


def native(document: dict[str, Any]) -> NativeRequest:
    return NativeRequest(json.dumps(document).encode(), document)
