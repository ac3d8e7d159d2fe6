"""`npm run chat` on a terminal: a conversation, its commands, Ctrl-C at every moment."""

from __future__ import annotations

import readline
import signal

import pytest

from tests.running_stack import PATIENCE_S, RunningStack
from tests.scripted_upstream import (
    GatedAnswer,
    ScriptedUpstream,
    endless,
    holds_after,
    replies,
    says,
)
from tests.scripts.chat.chat_process import CTRL_C, CTRL_D, at, on_terminal

IS_LIBEDIT = "libedit" in (readline.__doc__ or "")
AGAIN = "Press Ctrl-C again or Ctrl-D to end."


def test_conversation_keeps_its_history(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    with on_terminal(*at(stack), way) as terminal:
        terminal.wait_for("> ")
        for line in ("Hi 漢字 👍", "", "again"):
            terminal.type(f"{line}\r")
            if line:
                terminal.wait_for("Hello\r\n")
                assert "s to the first token" in terminal.wait_for("\r\n")
            terminal.wait_for("> ")
        roles = [(m["role"], m["content"]) for m in upstream.requests[-1].document["messages"]]
        assert roles == [("user", "Hi 漢字 👍"), ("assistant", "Hello"), ("user", "again")]
        terminal.type("/clear\r")
        terminal.wait_for("forgotten")
        terminal.type("once more\r")
        terminal.wait_for("Hello\r\n")
        assert len(upstream.requests[-1].document["messages"]) == 1
        terminal.wait_for("> ")
        terminal.type(CTRL_D)
        assert terminal.wait() == 0


@pytest.mark.skipif(IS_LIBEDIT, reason="libedit takes each pasted line for a message")
def test_lines_pasted_together_are_one_message(
    stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    with on_terminal(*at(stack)) as terminal:
        terminal.wait_for("> ")
        terminal.type("\x1b[200~two\nlines\x1b[201~\r")
        terminal.wait_for("Hello\r\n")
        (message,) = upstream.requests[-1].document["messages"]
        assert message["content"] == "two\nlines"


def test_text_is_shown_while_it_comes(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    upstream.script = gated = GatedAnswer("one ", "two")
    with on_terminal(*at(stack), way, "Hi") as terminal:
        gated.open()
        terminal.wait_for("one ")
        assert gated.sent == ["one "]
        gated.open(2)
        terminal.wait_for("two\r\n")
        assert terminal.wait() == 0


def test_ctrl_c_stops_the_model_and_the_conversation_goes_on(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    with on_terminal(*at(stack), way) as terminal:
        terminal.wait_for("> ")
        upstream.script = endless("Begin ")
        terminal.type("never ends\r")
        terminal.wait_for("Begin ")
        terminal.type(CTRL_C)
        terminal.wait_for(AGAIN)
        terminal.wait_for("> ")
        if way == "--ws":  # Lambda does not tell a function that the URL's client is gone
            assert upstream.gone.wait(PATIENCE_S)
        upstream.script = says("Fresh")
        terminal.type("and now\r")
        terminal.wait_for("Fresh\r\n")
        first, answer, second = upstream.requests[-1].document["messages"]
        assert answer["content"].startswith("Begin ")
        assert (first["content"], second["content"]) == ("never ends", "and now")


def test_ctrl_c_before_the_first_token_leaves_no_message_behind(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    with on_terminal(*at(stack), way) as terminal:
        terminal.wait_for("> ")
        upstream.script = holds_after()
        terminal.type("silent\r")
        terminal.wait_for("silent\r\n")
        terminal.type(CTRL_C)
        terminal.wait_for(AGAIN)
        upstream.script = says("Fresh")
        terminal.wait_for("> ")
        terminal.type("and now\r")
        terminal.wait_for("Fresh\r\n")
        assert [m["content"] for m in upstream.requests[-1].document["messages"]] == ["and now"]


@pytest.mark.parametrize("typed", ["", "half a line"])
def test_second_ctrl_c_ends_the_conversation(stack: RunningStack, typed: str) -> None:
    with on_terminal(*at(stack)) as terminal:
        terminal.wait_for("> ")
        terminal.type(typed)
        terminal.wait_for(typed)
        terminal.type(CTRL_C)
        terminal.wait_for(AGAIN)
        terminal.wait_for("> ")
        terminal.type(CTRL_C)
        assert terminal.wait() == 0
        assert "Traceback" not in terminal.text


def test_ctrl_c_ends_a_single_prompt(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    upstream.script = endless("Begin ")
    with on_terminal(*at(stack), way, "Hi") as terminal:
        terminal.wait_for("Begin ")
        terminal.type(CTRL_C)
        assert terminal.wait() == 128 + signal.SIGINT
        assert "Traceback" not in terminal.text


def test_failure_is_shown_and_the_conversation_goes_on(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    with on_terminal(*at(stack), way) as terminal:
        terminal.wait_for("> ")
        upstream.script = replies(404, {"error": {"message": "No such model \x1b[2J"}})
        terminal.type("Hi\r")
        failure = terminal.wait_for("> ")
        assert "Error: " in failure
        assert "No such model" in failure
        assert "\x1b[2J" not in failure
        upstream.script = says("Fresh")
        terminal.type("Hi\r")
        terminal.wait_for("Fresh\r\n")
        assert len(upstream.requests[-1].document["messages"]) == 1


def test_commands(stack: RunningStack, upstream: ScriptedUpstream) -> None:
    with on_terminal(*at(stack)) as terminal:
        for line, words in (
            ("/help", "/exit "),
            ("/model", "Model: the service's OPENAI_MODEL."),
            ("/model other", "Model: other."),
            ("/nothing", "Unknown command /nothing."),
            (" /model is a word", "Hello\r\n"),
            ("/etc/hosts is a path", "Hello\r\n"),
        ):
            terminal.wait_for("> ")
            terminal.type(f"{line}\r")
            terminal.wait_for(words)
        assert upstream.requests[-1].document["model"] == "other"
        sent = [m["content"] for m in upstream.requests[-1].document["messages"]]
        assert sent == ["/model is a word", "Hello", "/etc/hosts is a path"]
        terminal.wait_for("> ")
        terminal.type("/exit\r")
        assert terminal.wait() == 0


def test_answer_cannot_command_the_terminal(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    upstream.script = says("a\x1b]0;title\x07", "b\x9b2J", "c\rd\r\n", "e\tf")
    with on_terminal(*at(stack), way, "Hi") as terminal:
        shown = terminal.wait_for("f\r\n")
        mark = "\N{REPLACEMENT CHARACTER}"
        assert shown == f"a{mark}]0;title{mark}b{mark}2Jcd\r\ne\tf\r\n"


@pytest.mark.parametrize(
    ("setting", "is_dim"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colors_can_be_turned_off(
    stack: RunningStack, upstream: ScriptedUpstream, setting: dict[str, str], *, is_dim: bool
) -> None:
    assert upstream.requests == []
    with on_terminal(*at(stack), "Hi", **setting) as terminal:
        terminal.wait_for("Hello\r\n")
        assert terminal.wait() == 0
        assert ("\x1b[2m" in terminal.text) is is_dim
