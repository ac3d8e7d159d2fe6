"""openai-forward's logs: what its own converter makes of them, and what is wrong with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scripts.chatlog.forward_logs import forward_conversations
from scripts.chatlog.tally import Tally
from scripts.chatlog.targets import forward_entry
from tests.child_environment import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DATA = ROOT / "tests" / "data" / "openai_forward"
ASKED = {"messages": [{"role": "user", "content": "你好"}], "model": "m", "uid": "1"}
ANSWERED = {"assistant": "Hi", "is_tool_calls": False, "uid": "1"}


def found_in(folder: Path, *lines: object) -> tuple[list[dict[str, Any]], Tally]:
    file, tally = folder / "chat.log", Tally()
    file.write_bytes(b"".join(f"{line}\n".encode() for line in lines))
    return list(forward_conversations([file], tally)), tally


@pytest.mark.parametrize("version", ["tools-0.8.1", "functions-0.6.5"])
def test_entries_are_those_of_its_own_converter(version: str) -> None:
    log = DATA / version / "Log"
    files, tally = sorted((log / "openai" / "chat").glob("*.log")), Tally()
    ours = [forward_entry(line, tally) for line in forward_conversations(files, tally)]
    theirs = json.loads((log / "chat_openai.json").read_text("utf-8"))
    # It reads the files in the order of the folder, which differs from machine to machine.
    assert sorted(map(str, ours)) == sorted(map(str, theirs))
    assert [list(entry or ()) for entry in ours] == [list(entry) for entry in theirs]
    assert (len(ours), tally.broken, sum(tally.left_out.values())) == (8, 0, 2)


def test_calls_and_functions_are_values_again() -> None:
    for version, calls in {"tools-0.8.1": "tool_calls", "functions-0.6.5": "function_call"}.items():
        files = sorted((DATA / version / "Log" / "openai" / "chat").glob("*.log"))
        lines = list(forward_conversations(files, Tally()))
        assert sum(bool(line.get(calls)) for line in lines) == 2
        assert all(line["answer"] is None for line in lines if line.get(calls))
        parts = [line["messages"][0]["content"] for line in lines]
        assert any(isinstance(content, list) for content in parts)


def test_answers_find_their_requests_in_any_order(tmp_path: Path) -> None:
    others = [{**ASKED, "uid": "2"}, {**ANSWERED, "uid": "2", "assistant": "Yo"}]
    lines, tally = found_in(tmp_path, others[1], ASKED, others[0], ANSWERED)
    assert [line["answer"] for line in lines] == ["Hi", "Yo"]
    assert tally == Tally()


def test_line_that_cannot_be_read_is_counted_and_never_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    private = "'\\private \\d'"
    wrong = ["{'uid': '1', 'mess", "[1, 2]", "{'uid': 1}", "(" * 500, f"{{'uid': {private}, 3}}"]
    wrong += ["{'uid': '1', 'x': 1e999}", "{'uid': '1', (1, 2): 3}"]
    lines, tally = found_in(tmp_path, ASKED, *wrong, "", ANSWERED, "{'assistant': inf}")
    assert [line["answer"] for line in lines] == ["Hi"]
    assert tally.broken == len(wrong) + 1
    assert capfd.readouterr() == ("", "")


def test_values_that_json_does_not_know_are_their_text(tmp_path: Path) -> None:
    (line,), _ = found_in(tmp_path, {**ASKED, "model": {"m"}}, {**ANSWERED, "assistant": b"Hi"})
    assert (line["model"], line["answer"]) == ("{'m'}", "b'Hi'")
    json.dumps(line)


def test_log_of_something_else_is_left_out(tmp_path: Path) -> None:
    completion = [{"prompt": "Hi", "uid": "3"}, {"text": "Ho", "uid": "3"}]
    lines, tally = found_in(tmp_path, *completion, {**ASKED, "uid": "4"})
    assert lines == []
    assert tally.left_out == {"no chats": 2, "without their request or their answer": 1}
