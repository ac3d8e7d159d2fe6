"""What is kept for LOG_CHAT=true while a client waits."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sluice.completions.conversation_log import (
    LINES_BYTES_PER_S,
    LINES_S,
    MAX_RECORDED_BYTES,
    Conversation,
)
from sluice.upstream.call import chat_call
from tests.child_environment import LAYERS, inherited

CALL = chat_call(b'{"messages": []}')


def test_what_is_kept_of_an_answer_is_bounded() -> None:
    tenth = "x" * (MAX_RECORDED_BYTES // 10)
    conversation = Conversation(CALL, CALL, tuple)
    for _ in range(15):
        conversation.add_event(tenth)
        conversation.add_chunk(tenth.encode())
    kept = sum(map(len, conversation.events)) + sum(map(len, conversation.chunks))
    assert conversation.is_cut
    assert MAX_RECORDED_BYTES <= kept <= MAX_RECORDED_BYTES + len(tenth)


def test_time_for_its_lines_grows_with_the_request_and_the_answer() -> None:
    second = b"x" * LINES_BYTES_PER_S
    call = CALL._replace(body=second)
    conversation = Conversation(call, call, tuple)
    conversation.add_chunk(second * 2)
    assert conversation.seconds_needed == pytest.approx(LINES_S + 3)


def test_vectors_are_not_kept() -> None:
    call = CALL._replace(path="/embeddings")
    conversation = Conversation(call, call, tuple)
    conversation.add_chunk(b'{"data": []}')
    assert (conversation.chunks, conversation.is_cut) == ([], False)


def test_nothing_but_the_recording_is_imported_before_the_last_byte() -> None:
    code = "import sys, sluice.completions.conversation_log; print(*sys.modules)"
    environ = {**inherited("PATH"), "PYTHONPATH": LAYERS}
    printed = subprocess.check_output([sys.executable, "-S", "-c", code], env=environ, text=True)
    assert {name for name in printed.split() if name.startswith("sluice.")} == {
        "sluice.completions",
        "sluice.completions.conversation_log",
    }
