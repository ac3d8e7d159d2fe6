"""`npm start -- --traces`: the stack plays X-Ray, and prints the trace of each invocation."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.curl import SIGNED, curl
from tests.patient_client import connect
from tests.running_stack import PATIENCE_S, ROOT, RunningStack, stack
from tests.scripted_upstream import ScriptedUpstream, endless, replies, says, scripted_upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

ROW = re.compile(r" +(?P<since>-?[\d.]+) +(?P<length>[\d.]+)  (?P<branch>.*─ )?(?P<name>\w+) *(.*)")
KEY = "sk-test-traces-0123456789"
CHAT = {"action": "chat", "id": "7", "request": {"model": "m", "messages": []}}
PING = {"action": "ping"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with scripted_upstream() as server:
        yield server


@pytest.fixture(scope="module")
def traced(upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    environ = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": KEY}
    with stack(ROOT / "serverless.yml", "--traces", **environ) as running:
        running.wait_ready()
        yield running
        assert running.end() == 0
    assert KEY not in running.text()
    assert "Traceback" not in running.text()


def tree(running: RunningStack, function: str) -> dict[str, str]:
    """The rest of the line of each part, in the next trace of a function."""
    running.wait_line(f"  {function}")
    parts = {}
    while True:
        line = running.wait_line("─ ")
        found = ROW.fullmatch(line)
        assert found, line
        parts[found["name"]] = found[5]
        if found["branch"] == "└─ ":
            return parts


def test_answer_by_url_is_a_tree_of_its_parts(
    traced: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("Hel", "lo")
    assert curl(*SIGNED, f"{traced.url}/?message=Hello").status == 200
    line = json.loads(traced.wait_line('"transport": "url"').partition("| ")[2])
    assert traced.wait_line("Trace ") == f"Trace {line['trace_id']}"
    parts = tree(traced, "stream")
    assert list(parts) == ["upstream", "connection", "delivery"]
    assert "status=200  provider=openai" in parts["upstream"]
    assert f"key_name={line['principal']}" in parts["upstream"]
    assert f"outcome=ok  bytes={line['bytes']}" in parts["delivery"]


def test_error_of_the_upstream_is_marked(traced: RunningStack, upstream: ScriptedUpstream) -> None:
    upstream.script = replies(404, {"error": {"message": "no such model"}})
    assert curl(*SIGNED, f"{traced.url}/?message=Hello").status == 404
    parts = tree(traced, "stream")
    assert parts["upstream"].startswith("ERROR  url=")
    assert parts["upstream"].endswith("error=upstream_refused")


def test_connection_and_its_messages_are_trees(
    traced: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = endless("Hello")
    with connect(traced.websocket_url) as client:
        assert tree(traced, "connect").keys() == {"store"}
        client.send(json.dumps(PING))
        client.recv(timeout=PATIENCE_S)
        assert "kind=ping  outcome=ok" in tree(traced, "control")["delivery"]
        client.send(json.dumps(CHAT))
        client.recv(timeout=PATIENCE_S)
    parts = tree(traced, "default")
    assert "outcome=connection_gone" in parts["delivery"]
    assert "error=connection_gone" in parts["upstream"]


def test_every_line_of_the_log_has_its_trace(traced: RunningStack) -> None:
    lines = [json.loads(line.partition(" | ")[2]) for line in traced.lines if " | {" in line]
    assert {line["transport"] for line in lines} >= {"url", "websocket", "connect"}
    assert all(line["trace_id"].startswith("1-") for line in lines)
