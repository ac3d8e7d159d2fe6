"""`npm run chat` with pipes: the answer alone on stdout, failures on stderr and in the status."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from scripts.access.shell import Shell
from scripts.chat.program import main
from tests.running_stack import ROOT, RunningStack, ready_service
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    ScriptedUpstream,
    chunk,
    closed_port,
    delta,
    dies_after,
    endless,
    one_after_another,
    replies,
    says,
    sends,
    sse,
)
from tests.scripts.chat.chat_process import at, chat, chat_about, environment
from tests.scripts.described_stack import described_stack

KEY = "fk-test-of-chats"
SERVICE = ROOT / "serverless.yml"
WAYS = ("--url", "--ws")


def test_answer_is_all_of_stdout(stack: RunningStack, upstream: ScriptedUpstream, way: str) -> None:
    # Neither control characters nor line ends of an answer change on their way to a file.
    upstream.script = says("caf", "é \x1b[31m", "\r\nend")
    run = chat(*at(stack), way, "-m", "some-model", "Hi")
    assert (run.status, run.out, run.err) == (0, "café \x1b[31m\r\nend\n".encode(), "")
    sent = upstream.requests[0].document
    assert sent["messages"] == [{"role": "user", "content": "Hi"}]
    assert sent["model"] == "some-model"


def test_prompt_of_stdin_follows_that_of_the_command_line(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    for arguments, stdin, prompt in (
        ((), b"\xef\xbb\xbfall of\nit\n", "all of\nit"),
        (("Sum up:",), b"text\n", "Sum up:\n\ntext"),
    ):
        assert chat_about(stdin, *at(stack), way, *arguments).out == b"Hello\n"
        assert upstream.requests[-1].document["messages"][-1]["content"] == prompt


def test_long_prompts_are_sent_in_several_frames(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    long = b"word " * 20_000
    assert chat_about(long, *at(stack), way).out == b"Hello\n"
    assert upstream.requests[-1].document["messages"][0]["content"] == long.decode()
    run = chat_about(long + long, *at(stack), way)
    if way == "--ws":
        assert (run.status, run.out) == (1, b"")
        assert "too long for a WebSocket message (128 KB)" in run.err
    else:
        assert run.out == b"Hello\n"


def test_template_is_named_and_stays_on_the_server(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    assert chat(*at(stack), way, "-s", "PROMPT_TEST", "Hi").out == b"Hello\n"
    system, user = upstream.requests[0].document["messages"]
    assert system == {"role": "system", "content": "You are a test."}
    assert user == {"role": "user", "content": "Hi"}
    run = chat(*at(stack), way, "-s", "PROMPT_NONE", "Hi")
    assert (run.status, run.out) == (1, b"")
    assert "Unknown prompt_template PROMPT_NONE" in run.err


def test_failures_are_one_line_on_stderr(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    half = EVENT_STREAM_HEAD + chunk(delta("half"))
    error = {"error": {"message": "too \x1b[2J many", "code": "rate_limit_exceeded"}}
    for script, out, words in (
        (replies(429, error), b"", "too \N{REPLACEMENT CHARACTER}[2J many"),
        (sends(b"<html>Gateway</html>", "text/html", 503), b"", ""),
        (dies_after(half), b"half\n", ""),
        (dies_after(half + chunk(sse(error))), b"half\n", "many"),
    ):
        upstream.script = script
        run = chat(*at(stack), way, "Hi")
        assert (run.status, run.out) == (1, out), run.err
        assert run.err.startswith("chat: ")
        assert run.err.count("\n") == 1
        assert words in run.err


def test_credentials_of_this_shell_alone_keep_nobody_out(
    stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    own = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret-of-chats"}
    assert chat(*at(stack), "Hi", **own).out == b"Hello\n"
    assert len(upstream.requests) == 1


def test_wrong_key_of_the_provider_is_not_the_users(
    stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    error = {"message": "Incorrect API key provided.", "type": "invalid_request_error"}
    upstream.script = replies(401, {"error": error})
    run = chat(*at(stack), "Hi")
    assert "OPENAI_API_KEY of the service" in run.err
    assert "FORWARD_KEY" not in run.err


def test_provider_that_cannot_count_tokens_answers_all_the_same(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    unknown = {"error": {"message": "Unrecognized argument: stream_options", "code": None}}
    upstream.script = one_after_another(replies(400, unknown), says("Hello"))
    assert chat(*at(stack), way, "Hi").out == b"Hello\n"
    assert "stream_options" not in upstream.requests[-1].document


def test_completion_instead_of_a_stream_is_read(
    stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hello"}]
    upstream.script = replies(200, {"choices": [{"message": {"content": parts}}]})
    assert chat(*at(stack), "Hi").out == b"Hello\n"


def test_service_that_does_not_run_is_started_by_the_message(way: str) -> None:
    port = closed_port()
    addresses = ("--http-url", f"http://127.0.0.1:{port}", "--ws-url", f"ws://127.0.0.1:{port}")
    # A proxy of the environment does not count.
    run = chat(*addresses, way, "Hi", HTTP_PROXY="http://127.0.0.1:1")
    scheme = "ws" if way == "--ws" else "http"
    assert (run.status, run.out) == (1, b"")
    assert run.err == (
        f"chat: Cannot connect to {scheme}://127.0.0.1:{port}. Start it with npm start, or name a"
        " stage: --stage dev.\n"
    )


def test_key_of_the_environment_opens_a_service_with_keys(upstream: ScriptedUpstream) -> None:
    modes = {"FUNCTION_URL_AUTH": "none", "WEBSOCKET_AUTH": "forward_key", "FORWARD_KEY": KEY}
    provider = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "sk-test-of-chats"}
    with ready_service(SERVICE, **modes, **provider) as keyed:
        for way in WAYS:
            # The settings of the service need not be known.
            for run in (
                chat(*at(keyed), way, "Hi", FORWARD_KEY=KEY),
                chat(*at(keyed), way, "--key", KEY, "Hi"),
            ):
                assert (run.status, run.out, run.err) == (0, b"Hello\n", "")
            run = chat(*at(keyed), way, "Hi", FORWARD_KEY="fk-unknown-key-of-chats")
            assert run.status == 1
            assert run.err.startswith("chat: 401: ")
            assert "Set FORWARD_KEY" in run.err
            assert "fk-unknown-key-of-chats" not in run.err


def test_aws_credentials_sign(upstream: ScriptedUpstream) -> None:
    own = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret-of-chats"}
    provider = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "sk-test-of-chats"}
    with ready_service(SERVICE, WEBSOCKET_AUTH="aws_iam", **own, **provider) as signed:
        # A key that does not open it is replaced by a signature.
        both = chat(*at(signed), "Hi", FORWARD_KEY="fk-of-something-else", **own)
        assert (both.status, both.out) == (0, b"Hello\n")
        wrong = {**own, "AWS_SECRET_ACCESS_KEY": "another"}
        for way in WAYS:
            run = chat(*at(signed), way, "Hi", WEBSOCKET_AUTH="aws_iam", **own)
            assert (run.status, run.out, run.err) == (0, b"Hello\n", "")
            run = chat(*at(signed), way, "Hi", WEBSOCKET_AUTH="aws_iam", **wrong)
            assert run.status == 1
            assert run.err.startswith("chat: 403: The ")
            assert "signature" in run.err
            assert "Signature=" not in run.err


def test_stage_is_looked_up_in_its_stack(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    with described_stack(f"{stack.url}/", stack.websocket_url) as (cloudformation, found):
        run = chat("--stage", "qa", way, "--key", "local", "Hi", **found)
        assert (run.status, run.out, run.err) == (0, b"Hello\n", "")
        assert len(upstream.requests) == 1
        assert b"StackName=sluice-qa" in cloudformation.requests[0].body
        cloudformation.script = sends(b"<ErrorResponse/>", "text/xml", 400)
        run = chat("--stage", "qa", way, "Hi", **found)
    assert run.status == 1
    assert run.err.startswith("chat: Cannot look up the stack sluice-qa in us-east-1")


def test_reader_that_leaves_ends_the_model_quietly(
    stack: RunningStack, upstream: ScriptedUpstream, way: str
) -> None:
    upstream.script = endless("Hello")
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.chat", *at(stack), way, "Hi"],
        cwd=ROOT,
        env=environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(5) == b"Hello"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


@pytest.mark.parametrize(
    ("options", "stdin", "words"),
    [
        ((), b" \n", "The prompt is empty"),
        ((), b"\xff\xfe", "must be text in UTF-8"),
        (("-m", "x", "-s", "PROMPT_TEST", "Hi"), b"", "Leave out -m"),
        (("two", "prompts"), b"", "Write one prompt, in quotes"),
        (("PROMPT_HAIKU",), b"", "npm run chat -- -s PROMPT_HAIKU"),
        (("--stage", "dev", "--http-url", "http://x", "Hi"), b"", "either --stage"),
        (("--http-url", "127.0.0.1:3000", "Hi"), b"", "must start with http:// or https://"),
        (("--ws-url", "ws://[", "Hi"), b"", "must start with ws:// or wss://"),
        (("--key", "with spaces", "Hi"), b"", "must be printable ASCII without spaces"),
        (("--ws", "--url", "Hi"), b"", "not allowed with argument --ws"),
    ],
)
def test_wrong_command_line_says_what_to_write(
    options: tuple[str, ...], stdin: bytes, words: str, tmp_path: Path
) -> None:
    piped = tmp_path / "stdin"
    piped.write_bytes(stdin)
    out, err = StringIO(), StringIO()
    with piped.open(encoding="utf-8") as given:
        status = main(Shell(options, environment({}), given, out, err))
    assert (status, out.getvalue()) == (1, "")
    assert words in err.getvalue()
    assert err.getvalue().count("\n") == 1
    assert "with spaces" not in err.getvalue()
