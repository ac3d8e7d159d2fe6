"""`npm run chatlog -- convert` as people and programs see it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from scripts.chatlog.__main__ import main
from scripts.chatlog.files import conversations_of
from scripts.chatlog.tally import Tally
from sluice.completions.conversation_file import append_line
from tests.child_environment import ROOT, inherited
from tests.scripts.chatlog.test_chat_lines import LONG, LONGER, logged
from tests.scripts.tool_runs import Tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = ROOT / "tests" / "data" / "openai_forward"
NOW = time.time()  # CloudWatch refuses events of the future
HOUR_MS = 3_600_000
HELLO = [{"role": "user", "content": "你好"}]


def line_of(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "request_id": name,
        "outcome": "ok",
        "datetime": "2027-01-15T07:59:58.123Z",
        "source_ip": "192.0.2.1",
        "model": "m",
        "temperature": 0.5,
        "messages": HELLO,
        "answer": "Hi",
        "finish_reason": "stop",
        **fields,
    }


class ChatLogTool(Tool):
    """The tool in a folder of its own, with a chat log of three conversations in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(main, folder, dict(os.environ), now=NOW)
        self.file = folder / ".state" / "chat.jsonl"

    def log(self, *lines: dict[str, Any], max_bytes: int = 10**6) -> None:
        for line in lines:
            append_line(self.file, json.dumps(line).encode() + b"\n", max_bytes)

    def run(self, *arguments: str, stdin: io.StringIO | None = None) -> tuple[int, str, str]:
        return super().run("convert", *arguments, stdin=stdin)

    def made(self, *arguments: str) -> tuple[list[Any], str]:
        """The documents in JSON lines, and what standard error says."""
        code, out, err = self.run(*arguments)
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()], err


@pytest.fixture
def tool(tmp_path: Path) -> ChatLogTool:
    return ChatLogTool(tmp_path)


def test_rotated_files_are_read_in_their_order(tool: ChatLogTool) -> None:
    lines = [line_of(str(number)) for number in range(5)]
    tool.log(*lines, max_bytes=len(json.dumps(lines[0])) + 1)
    (tool.file.parent / "chat.jsonl.bak").write_text("no number\n")
    assert len(list(tool.file.parent.iterdir())) == 6
    link = tool.folder / "link"
    link.symlink_to(tool.file)
    for source in ((), ("--from", str(link))):
        assert tool.made(*source) == (lines, "Converted 5 conversations.\n")


def test_line_that_is_being_written_is_not_read(tool: ChatLogTool) -> None:
    tool.log(line_of("1"), line_of("2"))
    tally = Tally()
    found = conversations_of(tool.file, tally)
    assert next(found)["request_id"] == "1"
    with tool.file.open("a") as file:
        file.write('{"request_id": "half')
    assert [line["request_id"] for line in found] == ["2"]
    assert tally.broken == 0


def test_entries_are_openai_forwards(tool: ChatLogTool) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    tool.log(
        line_of("1"),
        line_of("2", answer=None, tool_calls=[call], tools=[1]),
        line_of("3", answer=None, function_call={"name": "f"}, functions=[1]),
        line_of("4", outcome="cancelled"),
        line_of("5", messages=None, prompt="Hi"),
    )
    code, out, err = tool.run("--to", "openai-forward")
    assert (code, err) == (
        0,
        "Converted 3 conversations. Left out: 1 failed or unfinished, 1 no chats.\n",
    )
    plain = {
        "datetime": "2027-01-15 07:59:58",
        "ip": "192.0.2.1",
        "model": "m",
        "temperature": 0.5,
        "messages": [{"user": "你好"}],
        "tools": None,
        "is_tool_calls": False,
        "assistant": "Hi",
    }
    called = {**plain, "tools": [1], "is_tool_calls": True, "assistant": str([call])}
    functions = {"functions": [1], "is_function_call": True, "assistant": "{'name': 'f'}"}
    old = {n: v for n, v in plain.items() if "tool" not in n} | functions
    assert json.loads(out) == [plain, called, old]
    assert "你好" in out


def test_array_of_nothing_is_an_array(tool: ChatLogTool) -> None:
    tool.log(line_of("4", outcome="cancelled"))
    code, out, _ = tool.run("--to", "openai-forward")
    assert (code, json.loads(out)) == (0, [])


def test_examples_for_fine_tuning_are_written(tool: ChatLogTool) -> None:
    tool.log(line_of("1"), line_of("2", finish_reason="length"))
    examples, err = tool.made("--to", "finetune")
    assert examples == [{"messages": [*HELLO, {"role": "assistant", "content": "Hi"}]}]
    assert "Left out: 1 failed or unfinished." in err


@pytest.mark.parametrize("folder", ["", "Log", "Log/openai", "Log/openai/chat"])
def test_logs_of_openai_forward_are_found_in_any_of_its_folders(
    tool: ChatLogTool, folder: str
) -> None:
    source = str(DATA / "tools-0.8.1" / folder)
    found, err = tool.made("--from", source, "--to", "finetune")
    assert len(found) == 7
    assert sum("tools" in each for each in found) == 3
    assert "2 without their request or their answer" in err
    one = str(DATA / "functions-0.6.5" / "Log" / "openai" / "chat" / "chat.log")
    assert len(tool.made("--from", one)[0]) == 1


def test_broken_lines_are_counted_and_never_shown(tool: ChatLogTool) -> None:
    tool.log(line_of("1"))
    with tool.file.open("ab") as file:
        file.write(b'{"messages": "private\n\xff\xfe\n\n')
    lines, err = tool.made()
    assert (len(lines), err) == (1, "Converted 1 conversation. 2 lines could not be read.\n")


def test_file_is_written_whole_and_for_its_owner_only(tool: ChatLogTool) -> None:
    tool.log(line_of("1"))
    target = tool.folder / "out.jsonl"
    target.write_text("old")
    target.chmod(0o644)
    link = tool.folder / "link"
    link.symlink_to(target)
    for output in (target, link):
        code, out, _ = tool.run("-o", str(output))
        assert (code, out, json.loads(target.read_text("utf-8"))) == (0, "", line_of("1"))
        assert target.stat().st_mode & 0o777 == 0o600
    assert link.is_symlink()
    assert tool.run("-o", os.devnull)[0] == 0
    assert not tool.file.with_suffix(".tmp").exists()
    assert "could not be written" in tool.error("-o", str(tool.folder / "none" / "out.jsonl"))
    # The source may be the target.
    assert tool.run("--from", str(target), "-o", str(target))[0] == 0
    assert json.loads(target.read_text("utf-8")) == line_of("1")
    assert sorted(each.name for each in tool.folder.iterdir()) == [".state", "link", "out.jsonl"]


def test_settings_name_the_file(tool: ChatLogTool) -> None:
    tool.file = tool.folder / "mine.jsonl"
    tool.log(line_of("1"))
    (tool.folder / ".env").write_text("LOG_CHAT_FILE=mine.jsonl\n")
    assert tool.made()[0] == [line_of("1")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "There is no chat log at "),
        (("--from", "/nowhere"), "There is no chat log at /nowhere.\n"),
        (("--from", "."), "has no *.log files"),
        (("--from", "x", "--stage", "dev"), "Choose one source: --from FILE or --stage NAME."),
        (("--since", "1d"), "--region and --since need --stage: a file is read whole."),
        (("--stage", "dev", "--since", "soon"), "--since: must be a length such as 30m, 12h or 7d"),
        (("--from", os.devnull), "must be a file or a folder"),
        (("--to", "xml"), "--to: must be one of jsonl, openai-forward, finetune. All options"),
    ],
)
def test_wrong_command_line_is_explained(
    tool: ChatLogTool, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tool.folder)
    assert said in tool.error(*arguments)


def test_command_is_a_process_that_streams(tool: ChatLogTool) -> None:
    lines = (line_of(str(number), answer="語" * 1000) for number in range(2000))
    tool.log(*lines, max_bytes=10**8)
    command = [sys.executable, "-m", "scripts.chatlog", "convert", "--from", str(tool.file)]
    environ = {**inherited("PATH"), "LC_ALL": "C", "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=True)
    assert done.stdout.decode().count("語") == 2_000_000
    assert done.stderr == b"Converted 2000 conversations.\n"
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()  # as `head` does
        assert process.stderr.read() == b""


@pytest.fixture
def logs(account: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """CloudWatch Logs with the groups of the stage `dev`."""
    for name, value in account.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("logs")
    groups = [f"/aws/lambda/sluice-dev-{name}" for name in ("default", "stream")]
    for group in groups:
        client.create_log_group(logGroupName=group)
        for stream in ("a", "b"):
            client.create_log_stream(logGroupName=group, logStreamName=stream)
    yield client
    for group in groups:
        client.delete_log_group(logGroupName=group)
    client.close()


def put(logs: Any, function: str, stream: str, lines: list[str], at_ms: int) -> None:
    logs.put_log_events(
        logGroupName=f"/aws/lambda/sluice-dev-{function}",
        logStreamName=stream,
        logEvents=[{"timestamp": at_ms, "message": line} for line in lines],
    )


def test_lines_of_a_stage_come_in_their_order_with_parts_joined(
    tool: ChatLogTool, logs: Any
) -> None:
    now = int(NOW * 1000)
    tool.environ = dict(os.environ)
    usual = ['{"request_id": "u", "outcome": "ok"}', "START RequestId: 1 datetime"]
    put(logs, "stream", "a", [json.dumps(line_of("3"))], now - HOUR_MS)
    put(logs, "stream", "b", [*usual, *LONG], now - 2 * HOUR_MS)
    put(logs, "default", "a", LONGER[:2], now - 4 * HOUR_MS)
    put(logs, "default", "b", [*LONGER[2:], *logged("4", "x")], now - 3 * HOUR_MS)
    put(logs, "default", "a", [json.dumps(line_of("old"))], now - 25 * HOUR_MS)
    long_ago = time.strftime("%Y-%m-%d", time.gmtime(NOW - 3 * 86_400))
    for since, names in {"1d": "c 4 b 3", "150m": "b 3", long_ago: "old c 4 b 3"}.items():
        lines, err = tool.made("--stage", "dev", "--since", since)
        assert [line["request_id"] for line in lines] == names.split()
        assert err == f"Converted {len(lines)} conversations.\n"
    assert tool.made("--stage", "dev")[0] == tool.made("--stage", "dev", "--since", "24h")[0]


def test_many_events_come_in_pages(tool: ChatLogTool, logs: Any) -> None:
    now = int(NOW * 1000)
    for number in range(11):  # moto's pages have 10,000 events
        lines = [json.dumps(line_of(f"{number}-{each}")) for each in range(1000)]
        put(logs, "stream", "a", lines, now - HOUR_MS + number)
    found, _ = tool.made("--stage", "dev")
    assert len({line["request_id"] for line in found}) == 11_000


@pytest.mark.usefixtures("logs")
def test_stage_that_cannot_be_read_is_explained(tool: ChatLogTool) -> None:
    said = tool.error("--stage", "prod")
    assert "/aws/lambda/sluice-prod-default in us-east-1" in said
    assert "(ResourceNotFoundException). Check --stage and --region" in said
