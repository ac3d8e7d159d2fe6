"""The environments of one function: started on demand up to a limit, one event at a time each."""

from __future__ import annotations

import asyncio
from collections import deque

from local.errors import INVALID_ENTRYPOINT, OUT_OF_RESOURCES, FunctionFailure
from local.functions.execution_environment import ExecutionEnvironment, FunctionProcess
from local.invocation import AnswerReceiver, Invocation, new_identity, new_trace_id


class FunctionPool:
    """Invokes one function: `start` its first environment, `submit` events, `stop`."""

    def __init__(self, function: FunctionProcess, concurrency: int) -> None:
        self._function = function
        self._concurrency = concurrency
        self._room = concurrency
        """Maximum environments: fewer while the machine has no descriptors for more."""
        self._all: set[ExecutionEnvironment] = set()
        self._starting: set[ExecutionEnvironment] = set()
        self._idle: list[ExecutionEnvironment] = []
        self._queue: deque[Invocation] = deque()
        self._stopping = False
        self._first_start: asyncio.Future[FunctionFailure | None] = (
            asyncio.get_running_loop().create_future()
        )

    def start(self) -> None:
        """Start one environment before the first event: a user would have to wait for it."""
        self._start_environment()

    def is_ready(self) -> bool:
        """Return whether the function has requested its first event."""
        return self._first_start.done() and self._first_start.result() is None

    async def wait_for_start(self) -> FunctionFailure | None:
        """Wait for the first start; return its failure, or None."""
        return await asyncio.shield(self._first_start)

    def submit(self, event: bytes, receiver: AnswerReceiver, trace_id: str = "") -> Invocation:
        function = self._function
        is_sampled = function.tracer is not None
        trace_id = trace_id or new_trace_id(function.clock.now(), is_sampled=is_sampled)
        invocation = Invocation(new_identity(trace_id), event, receiver)
        if self._stopping:
            invocation.settle(_STOPPING)
        elif self._idle:
            # The last one used has the warmest caches; AWS chooses it, too.
            self._idle.pop().hand_over(invocation)
        else:
            self._queue.append(invocation)
            self._start_for_the_queue()
        return invocation

    async def stop(self) -> None:
        """End every environment and fail the waiting events."""
        self._stopping = True
        self._fail_queue(_STOPPING)
        self._idle.clear()
        await asyncio.gather(*(environment.stop() for environment in tuple(self._all)))

    def environment_waits(self, environment: ExecutionEnvironment) -> None:
        """Give the environment the oldest waiting event, or let it idle."""
        self._starting.discard(environment)
        self._settle_start(None)
        if self._queue:
            environment.hand_over(self._queue.popleft())
        elif environment not in self._idle:
            self._idle.append(environment)
        if not self._queue:
            self._room = self._concurrency

    def environment_ended(
        self, environment: ExecutionEnvironment, failure: FunctionFailure
    ) -> None:
        """Forget the environment; a start that failed fails the event it was started for.

        If the machine lacks the means for a further process, the event waits for the others.
        """
        self._all.discard(environment)
        if environment in self._idle:
            self._idle.remove(environment)
        if environment in self._starting:
            self._starting.discard(environment)
            self._note_failed_start(failure)
            if failure.error_type == OUT_OF_RESOURCES and self._all:
                self._room = len(self._all)
            elif self._queue:
                self._queue.popleft().settle(failure)
        self._settle_start(failure)
        self._start_for_the_queue()

    def _note_failed_start(self, failure: FunctionFailure) -> None:
        """Log why, once in a burst; the first start's failure ends the stack, which says why."""
        is_silent = failure.error_type in (INVALID_ENTRYPOINT, OUT_OF_RESOURCES)
        if is_silent and self.is_ready() and self._room == self._concurrency:
            waits = " Requests wait for the processes that run." if self._all else ""
            self._function.log(f"{failure.error_message}{waits}")

    def _settle_start(self, failure: FunctionFailure | None) -> None:
        if not self._first_start.done():
            self._first_start.set_result(failure)

    def _start_for_the_queue(self) -> None:
        wanted = len(self._queue) - len(self._starting)
        room = self._room - len(self._all)
        if not self._stopping:
            for _ in range(min(wanted, room)):
                self._start_environment()

    def _start_environment(self) -> None:
        environment = ExecutionEnvironment(self._function, self)
        self._all.add(environment)
        self._starting.add(environment)
        environment.start()

    def _fail_queue(self, failure: FunctionFailure) -> None:
        while self._queue:
            self._queue.popleft().settle(failure)


_STOPPING = FunctionFailure("Sandbox.Stopped", "The local stack is stopping.")
