"""Handlers of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import running

if TYPE_CHECKING:
    from pathlib import Path

MARK = "import asyncio, awslambda\n@awslambda.streamify_response\n"
KINDS = {
    "an iterator": "def handler(e, s, c):\n    return iter(['a', b'b', {'c': 1}])",
    "an async iterator": (
        "class Pieces:\n    left = ['a', b'b', {'c': 1}]\n    def __init__(self): self.at = 0\n"
        "    async def __anext__(self):\n        self.at += 1\n"
        "        if self.at > 3: raise StopAsyncIteration\n        return self.left[self.at - 1]\n"
        "    def __aiter__(self): return self\n"
        "def handler(e, s, c): return Pieces()\nhandler = awslambda.streamify_response(handler)"
    ),
    "generator": "def handler(e, s, c):\n    yield 'a'\n    yield b'b'\n    yield {'c': 1}",
    "async generator": (
        "async def handler(e, s, c):\n    yield 'a'\n    await asyncio.sleep(0)\n"
        "    yield b'b'\n    yield {'c': 1}"
    ),
    "generator that also writes": (
        "def handler(e, s, c):\n    yield 'a'\n    s.write('b')\n    yield {'c': 1}"
    ),
    "async with drain": (
        "async def handler(e, s, c):\n    s.write('a')\n    await s.drain()\n"
        "    s.write('b')\n    s.write({'c': 1})"
    ),
}


@pytest.mark.parametrize("source", KINDS.values(), ids=KINDS)
def test_streaming_handler_of_every_kind(tmp_path: Path, source: str) -> None:
    mark = MARK.partition("@")[0] if source.startswith("class") else MARK
    with running(tmp_path, mark + source) as runtime:
        for _ in range(2):
            runtime.api.expect_next()
            runtime.api.give_event()
            answer = runtime.api.expect_answer()
            assert (answer.body, answer.trailers) == (b'ab{"c":1}', [])


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_return_value_of_a_streaming_handler_is_ignored_with_a_warning(
    tmp_path: Path, kind: str
) -> None:
    source = f"{MARK}{kind} handler(e, s, c):\n    s.write('a')\n    return 'ignored'"
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        assert runtime.api.expect_answer().body == b"a"
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert "[WARNING] Streaming handlers ignore return values." in out


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_exception_in_a_generator_after_its_first_piece_gives_trailers(
    tmp_path: Path, kind: str
) -> None:
    source = f"{MARK}{kind} handler(e, s, c):\n    yield 'a'\n    raise ValueError('late')"
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        answer = runtime.api.expect_answer()
        runtime.api.expect_next()
    assert answer.body == b"a"
    assert dict(answer.trailers)["Lambda-Runtime-Function-Error-Type"] == "ValueError"


def test_async_handlers_share_one_event_loop(tmp_path: Path) -> None:
    source = "import asyncio\nasync def handler(e, c): return id(asyncio.get_running_loop())"
    with running(tmp_path, source) as runtime:
        answers = set()
        for _ in range(2):
            runtime.api.expect_next()
            runtime.api.give_event()
            answers.add(runtime.api.expect_answer().body)
    assert len(answers) == 1


@pytest.mark.parametrize("mark", ["", MARK])
def test_cancellation_that_leaves_the_handler_is_an_error_and_not_the_end(
    tmp_path: Path, mark: str
) -> None:
    parameters = "e, s, c" if mark else "e, c"
    source = (
        f"import asyncio\n{mark}async def handler({parameters}):\n    raise asyncio.CancelledError"
    )
    with running(tmp_path, source) as runtime:
        for _ in range(2):
            runtime.api.expect_next()
            runtime.api.give_event()
            error = runtime.api.expect_answer("error")
            assert error.header("Lambda-Runtime-Function-Error-Type") == "CancelledError"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_generator_is_closed_before_the_next_event(tmp_path: Path, kind: str) -> None:
    source = f"""{MARK}{kind} handler(e, s, c):
    try: yield None
    finally: print("closed")
"""
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        runtime.api.expect_answer("error")  # None cannot be written
        runtime.api.expect_next()
        out, _ = runtime.end()
    assert "closed" in out


def test_other_tasks_run_while_drain_waits(tmp_path: Path) -> None:
    source = MARK + (
        "async def handler(e, s, c):\n    turns = []\n"
        "    task = asyncio.create_task(asyncio.sleep(0, turns.append(1)))\n"
        "    other = asyncio.get_running_loop().call_soon(turns.append, 2)\n"
        "    await s.drain()\n    s.end(turns)"
    )
    with running(tmp_path, source) as runtime:
        runtime.api.expect_next()
        runtime.api.give_event()
        assert runtime.api.expect_answer().body == b"[1,2]"
