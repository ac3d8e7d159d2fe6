"""The programs in docs/clients.md and README.md work as they are shown."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.conftest import FORWARD_KEY, PROVIDER_KEY
from tests.running_stack import PATIENCE_S, ROOT, patient_wscat
from tests.scripted_upstream import answer_stream

if TYPE_CHECKING:
    from tests.running_stack import RunningStack
    from tests.scripted_upstream import ScriptedUpstream

README = (ROOT / "README.md").read_text(encoding="utf-8")
CLIENTS = ROOT / "examples" / "clients"
DOCUMENT = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
SHOWN = dict(
    re.findall(
        r"^\[`([\w.]+)`\]\(\.\./examples/clients/\1\)[^\n]*\n\n```\w+\n(.*?)^```$",
        DOCUMENT,
        re.MULTILINE | re.DOTALL,
    )
)
ONLY_LINKED = {"sigv4_auth.py", "presign_websocket.mjs"}
"""Longer than a page: to be copied, not to be read first."""

EVENTS = answer_stream(["Hel", "lo"]).decode()
PYTHON = (sys.executable,)


def environment(stack: RunningStack, key: str = FORWARD_KEY) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **kept,
        "SLUICE_URL": stack.url,
        "SLUICE_WEBSOCKET_URL": stack.websocket_url,
        "FORWARD_KEY": key,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }


def run(stack: RunningStack, *command: str, key: str = FORWARD_KEY) -> str:
    """What the command prints."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(stack, key),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_document_shows_each_program_as_it_is() -> None:
    programs = {file.name for file in CLIENTS.iterdir() if file.suffix in (".py", ".mjs", ".sh")}
    assert SHOWN.keys() | ONLY_LINKED == programs
    for name, text in SHOWN.items():
        assert text == (CLIENTS / name).read_text(encoding="utf-8"), name
    for name in ONLY_LINKED:
        assert f"(../examples/clients/{name})" in DOCUMENT


WITH_A_KEY = (
    ("openai_key.py", PYTHON, "Hello\n"),
    ("langchain_key.py", PYTHON, "Hello\n"),
    ("openai_key.mjs", ("node",), "Hello\n"),
    ("curl_key.sh", ("sh",), EVENTS),
    ("http_proxy.sh", ("sh",), EVENTS),
)


@pytest.mark.parametrize(("program", "interpreter", "printed"), WITH_A_KEY)
def test_program_with_a_key_prints_the_answer(
    keyed_stack: RunningStack,
    upstream: ScriptedUpstream,
    program: str,
    interpreter: tuple[str, ...],
    printed: str,
) -> None:
    assert run(keyed_stack, *interpreter, str(CLIENTS / program)) == printed
    assert_asked_once(upstream)


@pytest.mark.parametrize(("program", "interpreter", "printed"), WITH_A_KEY[2:4])
def test_program_with_the_key_local_prints_the_answer_with_nothing_set(
    signed_stack: RunningStack,
    upstream: ScriptedUpstream,
    program: str,
    interpreter: tuple[str, ...],
    printed: str,
) -> None:
    assert run(signed_stack, *interpreter, str(CLIENTS / program), key="local") == printed
    assert_asked_once(upstream)


def test_sdk_shows_why_its_key_is_refused(
    signed_stack: RunningStack, keyed_stack: RunningStack
) -> None:
    for program, interpreter, stack, status, says in (
        ("openai_key.py", PYTHON, keyed_stack, "401", "of this gateway"),
        ("openai_key.mjs", ("node",), keyed_stack, "401", "of this gateway"),
        ("openai_key.mjs", ("node",), signed_stack, "403", 'api_key="local"'),
    ):
        done = subprocess.run(
            [*interpreter, str(CLIENTS / program)],
            env=environment(stack, "sk-unknown"),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode != 0
        assert status in done.stderr
        assert says in done.stderr


@pytest.mark.parametrize(
    ("program", "interpreter", "printed"),
    [
        ("openai_iam.py", PYTHON, "Hello\n"),
        ("requests_iam.py", PYTHON, "Hello\n"),
        ("boto3_iam.py", PYTHON, EVENTS),
        ("curl_iam.sh", ("sh",), EVENTS),
    ],
)
def test_program_with_a_signature_prints_the_answer(
    signed_stack: RunningStack,
    upstream: ScriptedUpstream,
    program: str,
    interpreter: tuple[str, ...],
    printed: str,
) -> None:
    assert run(signed_stack, *interpreter, str(CLIENTS / program)) == printed
    assert_asked_once(upstream)


LANGCHAIN_IAM = """
import os
from langchain_openai import ChatOpenAI
from openai import DefaultHttpx2Client
from sigv4_auth import HttpxSigV4Auth
http_client = DefaultHttpx2Client(auth=HttpxSigV4Auth())
url = os.environ["SLUICE_URL"] + "/v1"
model = ChatOpenAI(base_url=url, api_key="unused", model="m", http_client=http_client)
print("".join(chunk.text for chunk in model.stream("Hello")))
"""


def test_langchain_signs_with_the_same_client_as_the_sdk(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    program = f"import sys; sys.path.insert(0, {str(CLIENTS)!r})\n{LANGCHAIN_IAM}"
    assert run(signed_stack, *PYTHON, "-c", program) == "Hello\n"
    assert_asked_once(upstream)


FETCH = """
const { streamChat } = await import(process.argv[1])
const { SLUICE_URL, FORWARD_KEY } = process.env
const messages = [{ role: 'user', content: 'Hello' }]
const pieces = []
await streamChat(SLUICE_URL, FORWARD_KEY, messages, (text) => pieces.push(text))
process.stdout.write(pieces.join('|'))
await streamChat(SLUICE_URL, 'fk-unknown', messages, () => {})
  .catch((error) => process.stdout.write('|' + error.message))
"""


def test_page_reads_the_answer_with_fetch(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    printed = run(
        keyed_stack, "node", "--input-type=module", "-e", FETCH, str(CLIENTS / "browser_fetch.mjs")
    )
    assert printed.startswith("Hel|lo|")
    assert "key" in printed.removeprefix("Hel|lo|")
    assert_asked_once(upstream)


# Node 20 has no WebSocket of its own yet; ws has the browser's interface.
WEBSOCKET = """
globalThis.WebSocket ??= (await import('ws')).WebSocket
const { streamAnswer } = await import(process.argv[1])
const { SLUICE_WEBSOCKET_URL, FORWARD_KEY } = process.env
const messages = [{ role: 'user', content: 'Hello' }]
let answer = ''
await streamAnswer(SLUICE_WEBSOCKET_URL, FORWARD_KEY, messages, (text) => { answer += text })
process.stdout.write(answer)
await streamAnswer(SLUICE_WEBSOCKET_URL, 'fk-unknown', messages, () => {})
  .catch((error) => process.stdout.write('|' + error.message))
"""


def test_page_reads_the_answer_from_a_websocket(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    program = str(CLIENTS / "browser_websocket.mjs")
    printed = run(keyed_stack, "node", "--input-type=module", "-e", WEBSOCKET, program)
    assert printed == "Hello|cannot connect: check the key"
    assert_asked_once(upstream)


def readme_program(stack: RunningStack) -> str:
    """The README's program, with the URL of this stack."""
    program: str
    (program,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return program.replace("http://127.0.0.1:3000", stack.url)


def test_program_of_the_readme_prints_the_answer(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    assert run(signed_stack, *PYTHON, "-c", readme_program(signed_stack)) == "Hello"
    assert_asked_once(upstream)


def test_commands_of_the_readme_print_the_answer(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    (curl,) = re.findall(r"^curl .*$", README, re.MULTILINE)
    assert (
        run(signed_stack, "sh", "-c", curl.replace("http://127.0.0.1:3000", signed_stack.url))
        == EVENTS
    )
    assert_asked_once(upstream)
    upstream.requests.clear()
    (wscat,) = re.findall(r"^.*npx wscat .*$", README, re.MULTILINE)
    url = signed_stack.websocket_url
    assert "Hello" in wscat_prints(signed_stack, wscat.replace("ws://127.0.0.1:3001", url))
    assert_asked_once(upstream)


def test_wscat_line_of_the_banner_prints_the_answer(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    line = next(line for line in signed_stack.lines if "wscat" in line)
    assert "Hello" in wscat_prints(signed_stack, line)
    assert_asked_once(upstream)


def test_wscat_prints_the_answer(keyed_stack: RunningStack, upstream: ScriptedUpstream) -> None:
    assert "Hello" in wscat_prints(
        keyed_stack, (CLIENTS / "wscat_key.sh").read_text(encoding="utf-8")
    )
    assert_asked_once(upstream)


def wscat_prints(stack: RunningStack, line: str) -> str:
    """What wscat's line prints, in a script without input, until the answer is there."""
    with subprocess.Popen(
        ["sh", "-c", patient_wscat(line)],
        cwd=ROOT,
        env=environment(stack),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        printed = ""
        while "Hello" not in printed and (line := process.stdout.readline()):
            printed += line.strip().removeprefix("< ")
        os.killpg(process.pid, signal.SIGTERM)
    return printed


def assert_asked_once(upstream: ScriptedUpstream) -> None:
    (request,) = upstream.requests
    assert (request.method, request.target) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
