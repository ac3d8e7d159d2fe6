"""A model's process: its start, its crash, its end."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from local.models.server import ModelServer, ModelStartFailedError
from tests.local.models.stand_in_model import with_server

SERVES = """
import os, sys, time
assert sys.argv[1] == "-I" and sys.argv[-2:] == ["stand-in", "a-key"], sys.argv
print("loading", "OPENAI_API_KEY" in os.environ, os.getpid(), flush=True)
print("http://127.0.0.1:1", flush=True)
{then}
"""


async def started(folder: Path, program: str, log: list[str]) -> ModelServer:
    server = ModelServer("stand-in", log.append)
    environ = {**os.environ, "OPENAI_API_KEY": "sk-of-the-user"}
    try:
        await server.start(with_server(folder, program), environ, "a-key")
    except BaseException:
        await server.stop()
        raise
    return server


def test_model_serves_until_it_is_stopped_and_knows_no_key(tmp_path: Path) -> None:
    log: list[str] = []

    async def run() -> None:
        server = await started(tmp_path, SERVES.format(then="time.sleep(600)"), log)
        assert server.url == "http://127.0.0.1:1/v1"
        await server.stop()

    asyncio.run(run())
    (line,) = log
    text, number = line.rsplit(" ", 1)
    assert text == "model | loading False"
    with pytest.raises(ProcessLookupError):
        os.kill(int(number), 0)


def test_crash_is_named_and_does_not_end_the_stack(tmp_path: Path) -> None:
    log: list[str] = []
    crashed = asyncio.Event()

    class Log(list[str]):
        def append(self, line: str) -> None:
            log.append(line)
            if "has ended" in line:
                crashed.set()

    async def run() -> None:
        server = await started(tmp_path, SERVES.format(then="os.kill(os.getpid(), 9)"), Log())
        await crashed.wait()
        await server.stop()

    asyncio.run(run())
    assert "model | stand-in has ended: its process got SIGKILL." in log[-1]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise SystemExit(3)", "its process ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 4)", "its process got SIGILL"),
    ],
)
def test_process_that_ends_before_it_serves_is_an_error(
    tmp_path: Path, program: str, reason: str
) -> None:
    with pytest.raises(ModelStartFailedError, match=f"stand-in could not start: {reason}"):
        asyncio.run(started(tmp_path, program, []))
