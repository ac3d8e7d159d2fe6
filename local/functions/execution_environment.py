"""One execution environment: a child process, its Runtime API, and its timeouts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from local.clock import Clock, Timer
from local.errors import (
    INVALID_ENTRYPOINT,
    OUT_OF_RESOURCES,
    ConfigurationError,
    FunctionFailure,
    missing_resource,
)
from local.functions.child_process import ChildProcess, start_child
from local.invocation import Invocation
from local.limits import INIT_TIMEOUT_S
from local.runtime_api.api import RuntimeApi


class Tracer(Protocol):
    """Learns of each invocation that has ended; all are sampled then."""

    def invocation_ended(self, function: str, header: str, began: float, ended: float) -> None:
        """Take the function's key, the trace header, and the times since the epoch."""


@dataclass(frozen=True, slots=True)
class FunctionProcess:
    """How to run one function: its name, ARN and limits, its command and environment."""

    key: str
    arn: str
    timeout_s: float
    command: Sequence[str]
    environ: Mapping[str, str]
    folder: Path
    log: Callable[[str], None]
    init_timeout_s: float = INIT_TIMEOUT_S
    clock: Clock = field(default_factory=Clock)
    tracer: Tracer | None = None


class EnvironmentOwner(Protocol):
    """Learns what becomes of an environment; a pool."""

    def environment_waits(self, environment: ExecutionEnvironment) -> None:
        """The environment can take an event now."""

    def environment_ended(
        self, environment: ExecutionEnvironment, failure: FunctionFailure
    ) -> None:
        """The environment has ended; `failure` says why."""


class ExecutionEnvironment:
    """Runs one event at a time: `start`, `hand_over` whenever it waits, `stop`."""

    def __init__(self, function: FunctionProcess, owner: EnvironmentOwner) -> None:
        self._function = function
        self._owner = owner
        self._api = RuntimeApi(self)
        self._child: ChildProcess | None = None
        self._invocation: Invocation | None = None
        self._failure: FunctionFailure | None = None
        self._timer: Timer | None = None
        self._life: asyncio.Task[None] | None = None
        self._started = False
        self._stopping = False
        self._deadline_ms = 0
        self._begun_at = 0.0

    def start(self) -> None:
        """Start the child; the owner learns when it waits or has ended."""
        self._life = asyncio.create_task(self._live())

    def hand_over(self, invocation: Invocation) -> None:
        """Give the waiting runtime an event; its time runs until it requests the next one."""
        function = self._function
        self._invocation = invocation
        self._begun_at = function.clock.now()
        self._deadline_ms = int((self._begun_at + function.timeout_s) * 1000)
        self._set_timer(function.timeout_s)
        self._api.hand_over(invocation)

    async def stop(self) -> None:
        """End the child and every process it started, and wait for them."""
        self._stopping = True
        self._cancel_timer()
        if self._child is not None:
            await self._child.stop()
            await self._api.close()
        if self._life is not None:
            await asyncio.wait([self._life])

    def runtime_waits(self) -> None:
        """Take it that the work on the last event is done, also that after the answer."""
        self._started = True
        self._trace()
        self._invocation = None
        self._cancel_timer()
        self._owner.environment_waits(self)

    def runtime_init_failed(self, failure: FunctionFailure) -> None:
        """Remember why the child is about to exit."""
        self._failure = failure

    def event_headers(self, invocation: Invocation) -> list[tuple[str, str]]:
        identity = invocation.identity
        return [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", identity.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(self._deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", self._function.arn),
            ("Lambda-Runtime-Trace-Id", identity.trace_id),
            ("Lambda-Runtime-Invocation-Id", identity.invocation_id),
        ]

    async def _live(self) -> None:
        function = self._function
        try:
            address = await self._api.start()
            environ = {**function.environ, "AWS_LAMBDA_RUNTIME_API": address}
            self._child = await start_child(
                function.command, environ, function.folder, function.log
            )
            if self._stopping:
                self._child.kill()
            self._set_timer(function.init_timeout_s)
            status = await self._child.wait()
            # The child's last bytes may still be in our socket; they belong to the client.
            await self._api.drained()
            failure = self._failure or self._exited(status)
            if not self._stopping and self._failure is None:
                function.log(f"{failure.error_type}: {failure.error_message}")
        except (ConfigurationError, OSError) as error:
            failure = _start_failure(error)
        await self._end(failure)

    async def _end(self, failure: FunctionFailure) -> None:
        self._cancel_timer()
        if self._invocation is not None:
            self._invocation.settle(failure)
        self._trace()
        await self._api.close()
        self._owner.environment_ended(self, failure)

    def _trace(self) -> None:
        """Report the end of the invocation, if there is one."""
        function, invocation = self._function, self._invocation
        if function.tracer is not None and invocation is not None:
            header, now = invocation.identity.trace_id, function.clock.now()
            function.tracer.invocation_ended(function.key, header, self._begun_at, now)

    def _exited(self, status: int) -> FunctionFailure:
        how = f"exit status {status}" if status >= 0 else f"signal: {-status}"
        return FunctionFailure("Runtime.ExitError", f"Runtime exited with error: {how}")

    def _set_timer(self, seconds: float) -> None:
        self._cancel_timer()
        self._timer = self._function.clock.call_later(seconds, partial(self._time_out, seconds))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self, seconds: float) -> None:
        what = "Task" if self._started else "Init"
        self._failure = FunctionFailure(
            "Sandbox.Timeout", f"{what} timed out after {seconds:.2f} seconds"
        )
        self._function.log(self._failure.error_message)
        if self._invocation is not None:
            self._invocation.settle(self._failure)
        if self._child is not None:
            self._child.kill()


def _start_failure(error: ConfigurationError | OSError) -> FunctionFailure:
    missing = missing_resource(error) or missing_resource(error.__cause__)
    if missing:
        return FunctionFailure(OUT_OF_RESOURCES, f"Cannot start a process: {missing}")
    return FunctionFailure(INVALID_ENTRYPOINT, str(error))
