"""The calls that the runtime makes for an event and for a write: each new one takes time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.awslambda.scripted_runtime_api import running, streamed

if TYPE_CHECKING:
    from pathlib import Path

COUNT = """
import sys
calls = []
def count(frame, kind, _):
    if kind in ("call", "c_call"):
        calls.append(frame.f_code.co_name)
"""
CALLS_OF_AN_EVENT = 175  # from one handler's return to the next one's start, its JSON included
CALLS_OF_A_WRITE = 10


def test_calls_from_event_to_event(tmp_path: Path) -> None:
    source = f"""{COUNT}
def handler(event, context):
    seen = calls.copy()
    calls.clear()
    sys.setprofile(count)
    return len(seen)
"""
    with running(tmp_path, source) as runtime:
        counts = []
        for _ in range(4):
            answer = runtime.api.answer_to(b'{"n": 1}', Lambda_Runtime_Trace_Id="Root=1-2-3")
            counts.append(json.loads(answer.body))
    assert counts[0] == 0
    assert 0 < counts[-1] <= CALLS_OF_AN_EVENT


def test_calls_of_a_write(tmp_path: Path) -> None:
    source = COUNT + streamed(
        "response_stream.write(b'the first one brings the head')",
        "sys.setprofile(count)",
        "response_stream.write(b'this one counts')",
        "sys.setprofile(None)",
        "response_stream.write(calls)",
    )
    with running(tmp_path, source) as runtime:
        calls: list[str] = json.loads(runtime.api.answer_to().chunks[-1])
    calls.remove("handler")  # it calls setprofile
    assert calls[0] == "write"
    assert len(calls) <= CALLS_OF_A_WRITE, calls
