"""Functions as child processes: started on demand, one event each, ended with their groups."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.errors import FunctionFailure
from local.functions.pool import FunctionPool
from local.invocation import Invocation, WholeAnswer
from tests.local.functions.processes import gone, until
from tests.local.functions.stand_in_service import open_gate, stand_in
from tests.local.hand_clock import HandClock
from tests.local.runtime_api.recording_receiver import RecordingReceiver

LIMIT = 1 << 20


class Bench:
    def __init__(self, pool: FunctionPool, log: list[str]) -> None:
        self.pool = pool
        self.log = log

    def submit(self, *steps: list[Any]) -> tuple[Invocation, WholeAnswer]:
        receiver = WholeAnswer(LIMIT)
        return self.pool.submit(json.dumps({"steps": steps}).encode(), receiver), receiver

    async def ask(self, *steps: list[Any]) -> Any:
        """Return the answer of an invocation that succeeds."""
        invocation, receiver = self.submit(*steps)
        assert await invocation.outcome is None
        return json.loads(receiver.body())

    async def fail(self, *steps: list[Any]) -> FunctionFailure:
        """Return the failure of an invocation that fails."""
        invocation, _ = self.submit(*steps)
        failure = await invocation.outcome
        assert failure is not None
        return failure


@asynccontextmanager
async def running(folder: Path, concurrency: int = 4, **settings: Any) -> AsyncIterator[Bench]:
    log: list[str] = []
    pool = FunctionPool(stand_in(folder, log, **settings), concurrency)
    try:
        yield Bench(pool, log)
    finally:
        await pool.stop()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with running(tmp_path) as bench:
        yield bench


@pytest.fixture
async def single(tmp_path: Path) -> AsyncIterator[Bench]:
    """A pool of at most one environment."""
    async with running(tmp_path, concurrency=1) as bench:
        yield bench


async def test_first_environment_comes_up_before_any_event(bench: Bench) -> None:
    assert not bench.pool.is_ready()
    bench.pool.start()
    assert await bench.pool.wait_for_start() is None
    assert bench.pool.is_ready()


async def test_event_is_answered_in_the_functions_environment(bench: Bench, tmp_path: Path) -> None:
    found = await bench.ask(["answer_environment", "MINE", "PATH"])
    assert found == {"MINE": "yes", "PATH": None, "cwd": str(tmp_path)}


async def test_event_comes_with_lambdas_headers(bench: Bench) -> None:
    receiver = WholeAnswer(LIMIT)
    event = b'{"steps": [["answer_headers"]]}'
    invocation = bench.pool.submit(event, receiver, "Root=1-a-b")
    assert await invocation.outcome is None
    headers = json.loads(receiver.body())
    assert headers["lambda-runtime-aws-request-id"] == invocation.identity.request_id
    assert headers["lambda-runtime-invocation-id"] == invocation.identity.invocation_id
    assert headers["lambda-runtime-trace-id"] == "Root=1-a-b"
    assert headers["lambda-runtime-invoked-function-arn"] == "arn:f"
    assert headers["content-type"] == "application/json"
    assert int(headers["lambda-runtime-deadline-ms"]) > 1_700_000_000_000


async def test_environment_is_used_again(bench: Bench) -> None:
    first = await bench.ask(["answer_pid"])
    # It requests its next event only after its answer was read.
    second = await bench.ask(["answer_pid"])
    third = await bench.ask(["answer_pid"])
    assert len({first, second, third}) <= 2


async def test_events_at_the_same_time_get_separate_environments(bench: Bench) -> None:
    async with open_gate() as gate:
        invocations = [bench.submit(["gate", gate.port], ["answer_pid"]) for _ in range(3)]
        held = [await gate.reached() for _ in invocations]
        for writer in held:
            writer.close()
        assert [await invocation.outcome for invocation, _ in invocations] == [None] * 3
        assert len({receiver.body() for _, receiver in invocations}) == 3


async def test_events_beyond_the_limit_wait_in_order(single: Bench) -> None:
    async with open_gate() as gate:
        first, _ = single.submit(["gate", gate.port], ["answer_pid"])
        later = [single.submit(["gate", gate.port], ["answer", n])[0] for n in range(3)]
        await gate.let_one_pass()
        await first.outcome
        for number, invocation in enumerate(later):
            held = await gate.reached()
            assert [other.outcome.done() for other in later].count(True) == number
            held.close()
            await invocation.outcome


async def test_answer_arrives_while_the_environment_still_works(bench: Bench) -> None:
    async with open_gate() as gate:
        answered, receiver = bench.submit(["answer_pid"], ["gate", gate.port], ["print", "late"])
        assert await answered.outcome is None
        busy = receiver.body()
        held = await gate.reached()
        assert await bench.ask(["answer_pid"]) != json.loads(busy)
        held.close()
        await until(lambda: "late" in bench.log)


async def test_posted_error_is_the_outcome_and_the_environment_stays(single: Bench) -> None:
    assert await single.fail(["error", "ValueError", "no"]) == FunctionFailure("ValueError", "no")
    await single.ask(["answer_pid"])


async def test_environment_that_exits_fails_its_event_and_is_replaced(single: Bench) -> None:
    failure = await single.fail(["exit", 7])
    assert failure.error_type == "Runtime.ExitError"
    assert "exit status 7" in failure.error_message
    assert "Runtime.ExitError: Runtime exited with error: exit status 7" in single.log
    await single.ask(["answer_pid"])


async def test_bytes_before_a_crash_are_delivered(bench: Bench) -> None:
    invocation, receiver = bench.submit(["begin", "text/plain"], ["write", "half"], ["exit", 1])
    assert await invocation.outcome is not None
    assert receiver.body() == b"half"


async def test_environment_that_dies_while_idle_is_replaced(single: Bench) -> None:
    pid = await single.ask(["answer_pid"])
    os.kill(pid, 9)
    await gone(pid)
    # The pool may learn of the end only after it has handed over the next event.
    invocation, _ = single.submit(["answer_pid"])
    await invocation.outcome
    assert await single.ask(["answer_pid"]) != pid


async def test_event_that_takes_too_long_times_out(
    tmp_path: Path,
) -> None:
    clock = HandClock()
    async with running(tmp_path, timeout_s=30.0, clock=clock) as bench, open_gate() as gate:
        invocation, _ = bench.submit(["gate", gate.port], ["hang"])
        (await gate.reached()).close()
        clock.advance(29)
        assert not invocation.outcome.done()
        clock.advance(1)
        failure = FunctionFailure("Sandbox.Timeout", "Task timed out after 30.00 seconds")
        assert await invocation.outcome == failure
        assert failure.error_message in bench.log


async def test_work_after_the_answer_counts_for_the_timeout(tmp_path: Path) -> None:
    clock = HandClock()
    async with running(tmp_path, concurrency=1, timeout_s=30.0, clock=clock) as single:
        pid = await single.ask(["answer_pid"], ["hang"])
        clock.advance(30)
        await gone(pid)
        assert await single.ask(["answer_pid"]) != pid


async def test_processes_of_a_child_end_with_it(bench: Bench) -> None:
    grandchild = await bench.ask(["answer_grandchild"], ["exit", 0])
    await gone(grandchild)


async def test_stop_ends_children_that_ignore_sigterm(single: Bench) -> None:
    pid = await single.ask(["ignore_sigterm"], ["answer_pid"], ["hang"])
    waiting, _ = single.submit(["answer_pid"])
    await single.pool.stop()
    await gone(pid)
    failure = await waiting.outcome
    assert failure is not None
    assert failure.error_type == "Sandbox.Stopped"
    rejected, _ = single.submit(["answer_pid"])
    assert rejected.outcome.done()


async def test_stop_does_not_wait_for_a_stuck_receiver(bench: Bench) -> None:
    receiver = RecordingReceiver(held=True)
    steps = [["begin", "text/plain"], ["write", "x"], ["hang"]]
    invocation = bench.pool.submit(json.dumps({"steps": steps}).encode(), receiver)
    await until(lambda: receiver.head is not None)
    await bench.pool.stop()
    assert await invocation.outcome is not None


@pytest.mark.parametrize(
    ("how", "failure", "line"),
    [
        ("init_error", FunctionFailure("Runtime.ImportModuleError", "no x"), "about to fail"),
        (
            "init_exit",
            FunctionFailure("Runtime.ExitError", "Runtime exited with error: exit status 3"),
            "bye",
        ),
    ],
)
async def test_failed_start_is_reported_and_logged_once(
    tmp_path: Path, how: str, failure: FunctionFailure, line: str
) -> None:
    async with running(tmp_path, how=how) as bench:
        bench.pool.start()
        assert await bench.pool.wait_for_start() == failure
        assert bench.log.count(line) == 1
        # Each further event causes another start, as on Lambda.
        assert await bench.fail(["answer_pid"]) == failure
        assert await bench.fail(["answer_pid"]) == failure


async def test_start_that_hangs_times_out(tmp_path: Path) -> None:
    clock = HandClock()
    async with running(tmp_path, how="init_hang", init_timeout_s=10, clock=clock) as bench:
        bench.pool.start()
        await clock.armed(10)
        clock.advance(10)
        failure = FunctionFailure("Sandbox.Timeout", "Init timed out after 10.00 seconds")
        assert await bench.pool.wait_for_start() == failure


async def test_command_that_cannot_run_fails_the_event(tmp_path: Path) -> None:
    async with running(tmp_path, command=(str(tmp_path / "bootstrap"),)) as bench:
        failure = await bench.fail(["answer_pid"])
        assert failure.error_type == "Runtime.InvalidEntrypoint"
        assert "exec wrapper bootstrap" in failure.error_message


async def test_stop_while_a_child_is_being_started(bench: Bench) -> None:
    bench.pool.start()
    await asyncio.sleep(0)
    await bench.pool.stop()
    assert await bench.pool.wait_for_start() is not None


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Let this process open no further file."""
    lowest_free = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest_free)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_event_waits_for_another_process_if_no_further_one_can_start(bench: Bench) -> None:
    bench.pool.start()
    await bench.pool.wait_for_start()
    async with open_gate() as gate:
        running, _ = bench.submit(["gate", gate.port], ["answer", 1])
        held = await gate.reached()
        with no_more_descriptors():
            waiting = [bench.submit(["answer", number])[0] for number in range(3)]
            await until(lambda: bench.log != [])
            held.close()
            for invocation in (running, *waiting):
                assert await invocation.outcome is None
        (line,) = bench.log
        assert line.startswith("Cannot start a process: Too many open files. Raise the limit")
        assert line.endswith("Requests wait for the processes that run.")
        # Later one can start.
        running, _ = bench.submit(["gate", gate.port], ["answer", 1])
        held = await gate.reached()
        assert await bench.ask(["answer", 2]) == 2
        held.close()
        assert await running.outcome is None


async def test_event_fails_with_the_reason_if_no_process_can_start(bench: Bench) -> None:
    bench.pool.start()
    await bench.pool.wait_for_start()
    await bench.fail(["exit", 1])
    bench.log.clear()
    with no_more_descriptors():
        for _ in range(2):
            assert (await bench.fail(["answer", 1])).error_type == "Sandbox.OutOfResources"
    assert all("Too many open files" in line for line in bench.log)
    assert bench.log
    assert await bench.ask(["answer", 1]) == 1
