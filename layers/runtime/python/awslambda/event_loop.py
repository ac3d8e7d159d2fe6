"""The life of a function's process: load the handler, then serve one event after the other.

What a failure means, by when it happens:

====================================  ==========================================================
while the handler is loaded           POST /init/error, exit 1
before the first byte of an answer    POST /error: the caller gets a function error, next event
after the first byte                  error trailers end the stream, next event
after the end, in after_response      logged, next event
Lambda refuses an answer (4xx)        logged, next event
Lambda answers 500                    logged, exit 1
====================================  ==========================================================
"""

from __future__ import annotations

import json
import os
import site
import sys
from typing import NamedTuple

from awslambda import deferral
from awslambda.context import LambdaContext
from awslambda.errors import (
    HandlerLoadError,
    MarshalError,
    ResponseStreamBroken,
    RuntimeApiError,
    UnmarshalError,
    error_document,
    error_log,
    error_type,
)
from awslambda.handler_loading import load_handler
from awslambda.response_stream import ResponseStream, is_streaming
from awslambda.runtime_client import RuntimeClient
from awslambda.search_path import search_path, site_folders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Runner
    from collections.abc import Callable, MutableMapping, Sequence
    from io import TextIOWrapper
    from typing import Any

    from awslambda.response_stream import Piece
    from awslambda.runtime_api import Invocation

TRACE_ID_VARIABLE = "_X_AMZN_TRACE_ID"  # where X-Ray's SDKs look for the current trace


def run(environ: MutableMapping[str, str], layer_python: str) -> int:
    """Serve events until Lambda ends the process; returns the exit code when it cannot go on."""
    _make_lines_appear(sys.stdout)
    _make_lines_appear(sys.stderr)
    _set_search_path(environ, layer_python)
    client = RuntimeClient(environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = _load(environ["_HANDLER"])
    except Exception as error:  # noqa: BLE001 -- any code may run while a module is imported
        _log(error)
        client.post_init_error(error_type(error), error_document(error))
        return 1
    try:
        EventLoop(client, handler, environ).serve_for_ever()
    except (OSError, RuntimeApiError) as error:
        _log(error)
    return 1


class EventLoop:
    """Serves the events of one function, one at a time."""

    def __init__(
        self,
        client: RuntimeClient,
        handler: Callable[..., Any],
        environ: MutableMapping[str, str],
    ) -> None:
        self._client = client
        self._handler = handler
        self._environ = environ
        self._runner: Runner | None = None

    def serve_for_ever(self) -> None:
        """Raises OSError or RuntimeApiError when there is no Runtime API to serve any more."""
        while True:
            self._serve(self._client.next_invocation())

    def _serve(self, invocation: Invocation) -> None:
        self._set_trace_id(invocation.trace_id)
        deferral.begin()
        if is_streaming(self._handler):
            answered = self._serve_streamed(invocation)
        else:
            answered = self._serve_buffered(invocation)
        if answered:
            deferral.run_pending(_log)

    def _serve_buffered(self, invocation: Invocation) -> bool:
        try:
            context = LambdaContext(invocation, self._environ)
            result = self._await(self._handler(_parse_event(invocation.event), context))
            body = _encode_result(result)
        except Exception as error:  # noqa: BLE001 -- the handler's, whatever it is
            self._report_failure(invocation, error)
            return False
        self._client.post_response(invocation, body)
        return True

    def _serve_streamed(self, invocation: Invocation) -> bool:
        stream = ResponseStream(_InvocationWire(self._client, invocation))
        try:
            context = LambdaContext(invocation, self._environ)
            self._await(self._handler(_parse_event(invocation.event), stream, context))
            stream.end()
        except Exception as error:  # noqa: BLE001 -- the handler's, whatever it is
            self._end_failed_stream(invocation, stream, error)
            return stream.ended
        self._client.finish_stream()
        return True

    def _end_failed_stream(
        self, invocation: Invocation, stream: ResponseStream, error: Exception
    ) -> None:
        if not stream.begun:
            self._report_failure(invocation, error)
            return
        _log(error)
        try:
            stream.fail(error)
        except ResponseStreamBroken:
            return  # `error` says so already, or came first
        self._client.finish_stream()

    def _report_failure(self, invocation: Invocation, error: Exception) -> None:
        _log(error)
        document = error_document(error, invocation.request_id)
        self._client.post_error(invocation, error_type(error), document)

    def _await(self, result: Any) -> Any:
        """The value of a coroutine; anything else as it is."""
        if not hasattr(result, "__await__"):
            return result
        if self._runner is None:
            import asyncio  # noqa: PLC0415 -- 40 ms that only async handlers pay

            # One event loop for the process: what a handler keeps open stays usable.
            self._runner = asyncio.Runner()
        return self._runner.run(_coroutine(result))

    def _set_trace_id(self, trace_id: str | None) -> None:
        if trace_id is None:
            self._environ.pop(TRACE_ID_VARIABLE, None)
        else:
            self._environ[TRACE_ID_VARIABLE] = trace_id


class _InvocationWire(NamedTuple):
    """The streamed answer to one invocation."""

    client: RuntimeClient
    invocation: Invocation

    def open(self, content_type: str, first: Sequence[Piece]) -> None:
        self.client.open_stream(self.invocation, content_type, first)

    def send(self, pieces: Sequence[Piece]) -> None:
        self.client.send(pieces)


async def _coroutine(awaitable: Any) -> Any:
    return await awaitable


def _load(handler_string: str) -> Callable[..., Any]:
    try:
        return load_handler(handler_string)
    except SystemExit as error:
        raise HandlerLoadError(
            "Runtime.ExitError", f"the handler's module ended the process with status {error.code}"
        ) from error


def _parse_event(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError as error:
        raise UnmarshalError(f"Unable to unmarshal input: {error}") from error


def _encode_result(result: Any) -> bytes:
    try:
        return json.dumps(result, ensure_ascii=False, default=_plain_number).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise MarshalError(f"Unable to marshal response: {error}") from error


def _plain_number(value: Any) -> float:
    """DynamoDB gives Decimal for every number, so AWS's client takes it; it takes nothing else."""
    if type(value).__name__ == "Decimal":
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _set_search_path(environ: MutableMapping[str, str], layer_python: str) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    sys.path[:] = search_path(environ, layer_python, version, sys.path)
    for folder in site_folders(environ, layer_python, version):
        if os.path.isdir(folder):  # noqa: PTH112 -- pathlib costs start-up time
            site.addsitedir(folder)


def _make_lines_appear(stream: Any) -> None:
    """Lambda freezes the process between events: what is in a buffer then comes late or never."""
    text: TextIOWrapper = stream
    text.reconfigure(line_buffering=True)


def _log(error: BaseException) -> None:
    """To standard output, where AWS's client writes errors too, as one piece."""
    sys.stdout.write(error_log(error))
    sys.stdout.flush()
