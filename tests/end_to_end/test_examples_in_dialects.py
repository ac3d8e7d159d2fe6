"""The published examples read the streams and errors that providers really send."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.test_clients_documentation import CLIENTS, environment, readme_program
from tests.running_stack import PATIENCE_S, ROOT
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    chunk,
    delta,
    one_after_another,
    replies,
    sends,
    sse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.running_stack import RunningStack
    from tests.scripted_upstream import Script, ScriptedUpstream

HERE = Path(__file__).parent
NODE = ("node", str(HERE / "examples_in_node.mjs"))
PYTHON = (sys.executable, str(HERE / "examples_in_python.py"))

HEL, LO = delta("Hel"), delta("lo")
END = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + sse("[DONE]")
FILTER = {"content_filter_results": {}, "content_filter_offsets": {"check_offset": 1}}
IN_TWO_LINES = b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"Hello"}}]}\n\n'

STREAMS = {
    "Azure's asynchronous filter": HEL + sse({"choices": [{"index": 0, **FILTER}]}) + LO + END,
    "a delta that is null": HEL + sse({"choices": [{"index": 0, "delta": None}]}) + LO + END,
    "an event without choices": HEL + b'event: ping\ndata: {"type":"ping"}\n\n' + LO + END,
    "choices that are null": HEL + LO + sse({"choices": None, "usage": {}}) + END,
    "no choices": sse({"choices": [], "prompt_filter_results": []}) + HEL + LO + END,
    "data without a blank": (HEL + LO + END).replace(b"data: ", b"data:"),
    "data in two lines": IN_TWO_LINES + END,
    "comments": b": OPENROUTER PROCESSING\n\n" + HEL + b":\n\n" + LO + END,
    "CR LF": (HEL + LO + END).replace(b"\n", b"\r\n"),
    "an id and a time": b"retry: 10\nid: 1\n" + HEL + b"id: 2\n" + LO + END,
    "an empty heartbeat": b"data:\n\n" + HEL + b"data: \n\n" + LO + b"data\n\n" + END,
    "a heartbeat with a name": HEL + b"event: keepalive\ndata:\n\n" + LO + END,
    "a name without data": HEL + b"event: ping\n\n" + LO + END,
    "a heartbeat after an id": b"id: 1\n" + HEL + b"data:\n\n" + LO + END,
    "null as a heartbeat": HEL + b"data: null\n\n" + LO + END,
    "no end mark": HEL + LO + END.removesuffix(sse("[DONE]")),
    "an end without a blank line": HEL + LO + END.removesuffix(b"\n"),
}
WORDS = "the words of the provider"
ERROR = {"message": WORDS, "type": "server_error"}
ERRORS_IN_STREAMS = {
    "OpenAI's": sse({"error": ERROR}),
    "a text": sse({"error": WORDS}),
    "a list": sse(json.dumps([{"error": ERROR}])),
    "flat": sse({"object": "error", "code": 400, **ERROR}),
    "an event's name": f"event: error\ndata: {WORDS}\n\n".encode(),
    "next to choices": sse({"error": ERROR, "choices": [{"index": 0, "delta": {"content": ""}}]}),
    "a field": f"error: {json.dumps(ERROR)}\n\n".encode(),
    "without data:": json.dumps({"error": ERROR}, indent=1).encode() + b"\n",
}
ERROR_BODIES: tuple[object, ...] = (
    {"error": ERROR}, {"error": WORDS}, [{"error": ERROR}], {"object": "error", **ERROR},
    {"detail": WORDS}, {"Message": WORDS}, {"detail": [{"loc": ["body"], "msg": WORDS}]}, WORDS,
)  # fmt: skip


def in_pieces(stream: bytes) -> Script:
    """A script: the stream in chunks, which cut lines and their ends."""
    pieces = [stream[start : start + 7] for start in range(0, len(stream), 7)]
    sent = EVENT_STREAM_HEAD + b"".join(map(chunk, pieces)) + LAST_CHUNK
    return lambda _request, connection: connection.sendall(sent)


def results(
    stack: RunningStack,
    command: tuple[str, ...],
    examples: Sequence[Path],
    upstream: ScriptedUpstream,
    scripts: Iterable[Script],
) -> list[list[str]]:
    """What each example gives for each answer of the upstream."""
    answers = [*scripts]
    upstream.script = one_after_another(*answers * len(examples))
    paths = os.pathsep.join(map(str, examples))
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment(stack), "EXAMPLES": paths, "COUNT": str(len(answers))},
        capture_output=True,
        encoding="utf-8",
        timeout=2 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed: list[list[str]] = json.loads(done.stdout)
    return printed


@pytest.mark.parametrize(
    ("stack", "command", "examples"),
    [
        ("keyed_stack", NODE, ("browser_fetch.mjs", "browser_websocket.mjs", "openai_key.mjs")),
        ("keyed_stack", PYTHON, ("openai_key.py", "langchain_key.py")),
        ("signed_stack", PYTHON, ("openai_iam.py", "README.md")),
    ],
)
def test_example_prints_the_answer_of_each_stream(
    request: pytest.FixtureRequest,
    upstream: ScriptedUpstream,
    tmp_path: Path,
    stack: str,
    command: tuple[str, ...],
    examples: tuple[str, ...],
) -> None:
    running: RunningStack = request.getfixturevalue(stack)
    readme = tmp_path / "readme.py"
    readme.write_text(readme_program(running), encoding="utf-8")
    programs = [readme if name == "README.md" else CLIENTS / name for name in examples]
    streams = map(in_pieces, STREAMS.values())
    for name, given in zip(
        examples, results(running, command, programs, upstream, streams), strict=True
    ):
        assert dict(zip(STREAMS, given, strict=True)) == dict.fromkeys(STREAMS, "Hello"), name


PAGES = [CLIENTS / "browser_fetch.mjs", CLIENTS / "browser_websocket.mjs"]


def test_page_reads_what_only_browsers_and_sluice_read(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    message = {"role": "assistant", "content": "Hello"}
    answers = [
        in_pieces((HEL + LO + END).replace(b"\n", b"\r")),
        replies(200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}),
    ]
    for given in results(keyed_stack, NODE, PAGES, upstream, answers):
        assert given == ["Hello", "Hello"]


def test_page_shows_an_error_in_whatever_shape(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    errors = map(in_pieces, (HEL + error for error in ERRORS_IN_STREAMS.values()))
    expected = dict.fromkeys(ERRORS_IN_STREAMS, f"Hel|{WORDS}")
    for given in results(keyed_stack, NODE, PAGES, upstream, errors):
        assert dict(zip(ERRORS_IN_STREAMS, given, strict=True)) == expected
    bodies = [
        *(replies(400, body) for body in ERROR_BODIES),
        sends(WORDS.encode(), "text/plain", status=400),
        replies(200, {"error": ERROR}),
    ]
    for given in results(keyed_stack, NODE, PAGES, upstream, bodies):
        for words in given:
            assert words.startswith("|")
            assert words.endswith(WORDS)


def test_page_learns_of_each_end_of_a_connection() -> None:
    command = ["node", str(HERE / "websocket_ends.mjs")]
    ends = json.loads(subprocess.check_output(command, cwd=ROOT, timeout=PATIENCE_S))
    assert ends.pop("no_json").startswith("Hel|")
    assert ends == {
        "done": "Hello",
        "cancelled": "Hel",
        "error": "Hel|words",
        "gateway": "Hel|Internal server error",
        "closed": "Hel|the connection ended before the answer",
        "closed_at_once": "|the connection ended before the answer",
        "silent": "|no frame came: ask again",
        "callback": "|from onText",
        "key": "|An invalid or duplicated subprotocol was specified",
    }
