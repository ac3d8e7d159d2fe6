"""The life of a function's process: load the handler, then serve events one by one.

What a failure means depends on when it happens:

====================================  ==========================================================
while the handler loads               POST /init/error, exit 1
in a SnapStart hook                   POST /init/error, exit 64; POST /restore/error, exit 65
before the first byte of an answer    POST /error: the caller gets a function error, next event
after the first byte                  error trailers end the stream, next event
after the end, in after_response      logged, next event
Lambda rejects an answer (4xx)        logged, next event
no reply to an answer                 sent once more over a new connection, next event
Lambda answers 500                    logged, exit 1
====================================  ==========================================================
"""

from __future__ import annotations

import json
import os
import site
import sys

from awslambda import deferral, snapstart
from awslambda.context import LambdaContext
from awslambda.errors import (
    HandlerLoadError,
    MarshalError,
    ResponseStreamBroken,
    RuntimeApiError,
    UnmarshalError,
    error_document,
    error_type,
    xray_cause,
)
from awslambda.function_log import set_up_when_imported
from awslambda.handler_call import HandlerCall
from awslambda.handler_loading import load_handler
from awslambda.json_encoding import JsonEncoder
from awslambda.output import log_output, unbuffered
from awslambda.response_stream import ResponseStream, is_streaming
from awslambda.runtime_api import Failure
from awslambda.runtime_client import RuntimeClient
from awslambda.runtime_log import RuntimeLog
from awslambda.search_path import search_path, site_folders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence
    from typing import Any

    from awslambda.response_stream import Piece
    from awslambda.runtime_api import Invocation

TRACE_ID_VARIABLE = "_X_AMZN_TRACE_ID"  # X-Ray's SDKs read the current trace from it
CANNOT_CONTINUE = 1  # exit code
ASCII_ENVIRONMENT = "AWS_Lambda_python3.11"
"""AWS_EXECUTION_ENV of the runtime whose client escapes what is not ASCII; later ones do not."""
ENDS_THE_PROCESS = (SystemExit, KeyboardInterrupt)
"""Exceptions with which a handler ends its process; Lambda then reports Runtime.ExitError. Any
other exception, asyncio's CancelledError too, is an error of its invocation."""


def run(
    environ: MutableMapping[str, str], layer_python: str, when_loaded: Callable[[], None]
) -> int:
    """Serve events until Lambda ends the process; return the exit code if it cannot continue.

    when_loaded: called once the handler's module was imported or failed to import.
    """
    for name in ("stdout", "stderr"):
        stream = unbuffered(getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    _set_search_path(environ, layer_python)
    log = RuntimeLog(environ, log_output(environ, sys.stdout))
    set_up_when_imported(log)
    client = RuntimeClient(environ["AWS_LAMBDA_RUNTIME_API"], log)
    try:
        handler = _load(environ["_HANDLER"])
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 -- an import may raise anything
        return _cannot_start(error, client, log)
    finally:
        when_loaded()
    try:
        if snapstart.is_snapstart(environ) and (code := _pass_snapshot(client, log)):
            return code
        InvokeLoop(client, handler, environ, log).serve_for_ever()
    except (OSError, RuntimeApiError) as error:
        log.failure(error)
    return CANNOT_CONTINUE


def handle_event_request(
    _client: RuntimeClient, handler: Callable[..., Any], event: Any, context: LambdaContext
) -> Any:
    """Call the handler. Sentry replaces this function to wrap the second argument."""
    return handler(event, context)


LambdaRuntimeClient = RuntimeClient
"""AWS's name. Sentry's integration finds it and the function above in `__main__.bootstrap`."""


class InvokeLoop:
    """Serves the events of one function, one at a time."""

    def __init__(
        self,
        client: RuntimeClient,
        handler: Callable[..., Any],
        environ: MutableMapping[str, str],
        log: RuntimeLog,
    ) -> None:
        self._client = client
        self._is_streaming = is_streaming(handler)
        self._call = HandlerCall(handler)
        self._results = JsonEncoder(
            ascii_only=environ.get("AWS_EXECUTION_ENV") == ASCII_ENVIRONMENT
        )
        self._environ = environ
        self._facts = dict(environ)  # os.environ decodes on every read
        self._log = log

    def serve_for_ever(self) -> None:
        """Raises OSError or RuntimeApiError once the Runtime API is gone."""
        while True:
            self._serve(self._client.next_invocation())

    def _serve(self, invocation: Invocation) -> None:
        self._set_trace_id(invocation.trace_id)
        self._log.request_id = invocation.request_id
        self._log.tenant_id = invocation.tenant_id
        deferral.begin()
        serve = self._serve_streamed if self._is_streaming else self._serve_buffered
        if serve(invocation):
            deferral.run_pending(self._log.failure)
        self._log.request_id = ""

    def _serve_buffered(self, invocation: Invocation) -> bool:
        try:
            context = self._context(invocation)
            event = _parse_event(invocation.event)
            result = handle_event_request(self._client, self._call.result, event, context)
            body, content_type = self._encode(result)
        except ENDS_THE_PROCESS:
            raise
        except BaseException as error:  # noqa: BLE001 -- a handler may raise anything
            self._report_failure(invocation, error)
            return False
        self._client.post_invocation_result(invocation, body, content_type)
        return True

    def _serve_streamed(self, invocation: Invocation) -> bool:
        stream = ResponseStream(_InvocationWire(self._client, invocation))

        def handler(event: Any, context: LambdaContext) -> Any:
            return self._call.stream(event, stream, context)

        try:
            context = self._context(invocation)
            event = _parse_event(invocation.event)
            returned = handle_event_request(self._client, handler, event, context)
            stream.end()
            if returned is not None:
                self._log.warning("Streaming handlers ignore return values.")
        except ENDS_THE_PROCESS:
            raise
        except BaseException as error:  # noqa: BLE001 -- a handler may raise anything
            self._end_failed_stream(invocation, stream, error)
            return False
        finally:
            stream.detach_from_invocation()
        self._client.post_invocation_result(invocation, None)
        return True

    def _end_failed_stream(
        self, invocation: Invocation, stream: ResponseStream, error: BaseException
    ) -> None:
        if not stream.begun:
            stream.detach_from_invocation()
            self._report_failure(invocation, error)
            return
        self._log.failure(error)
        try:
            stream.fail(error)
        except ResponseStreamBroken:  # already logged, or caused by `error`
            stream.detach_from_invocation()
        self._client.post_invocation_result(invocation, None)

    def _report_failure(self, invocation: Invocation, error: BaseException) -> None:
        self._log.failure(error)
        document = error_document(error, invocation.request_id)
        failure = Failure(error_type(error), document, xray_cause(error, _working_directory()))
        self._client.post_invocation_error(invocation, failure)

    def _context(self, invocation: Invocation) -> LambdaContext:
        return LambdaContext(invocation, self._facts, self._log.send)

    def _encode(self, result: Any) -> tuple[bytes, str]:
        """The body of the answer and its content type, as AWS's client posts them."""
        if isinstance(result, bytes):
            return result, "application/unknown"
        try:
            return self._results.encode(result), "application/json"
        except Exception as error:
            raise MarshalError(f"Unable to marshal response: {error}") from error

    def _set_trace_id(self, trace_id: str | None) -> None:
        if trace_id is None:
            self._environ.pop(TRACE_ID_VARIABLE, None)
        else:
            self._environ[TRACE_ID_VARIABLE] = trace_id


class _InvocationWire:
    """The streamed answer to one invocation."""

    def __init__(self, client: RuntimeClient, invocation: Invocation) -> None:
        self._client = client
        self._invocation = invocation
        self.send = client.send

    def open(self, content_type: str, first: Sequence[Piece]) -> None:
        self._client.open_stream(self._invocation, content_type, first)


def _load(handler_string: str) -> Callable[..., Any]:
    try:
        return load_handler(handler_string)
    except SystemExit as error:
        raise HandlerLoadError(
            "Runtime.ExitError", f"the handler's module exited with status {error.code}"
        ) from error


def _cannot_start(error: BaseException, client: RuntimeClient, log: RuntimeLog) -> int:
    log.failure(error)
    client.post_init_error(_failure(error))
    return CANNOT_CONTINUE


def _pass_snapshot(client: RuntimeClient, log: RuntimeLog) -> int:
    """Wait for snapshot and restore; return an exit code if a hook failed, else 0."""
    try:
        snapstart.run_before_snapshot()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 -- a hook may raise anything
        log.failure(error)
        client.post_init_error(_failure(error, name="Runtime.BeforeSnapshotError"))
        return snapstart.BEFORE_SNAPSHOT_EXIT
    client.wait_for_restore()
    try:
        snapstart.run_after_restore()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 -- a hook may raise anything
        log.failure(error)
        client.post_restore_error(_failure(error, name="Runtime.AfterRestoreError"))
        return snapstart.AFTER_RESTORE_EXIT
    return 0


def _failure(error: BaseException, name: str = "") -> Failure:
    return Failure(name or error_type(error), error_document(error))


def _parse_event(body: bytes) -> Any:
    try:
        return EVENT_DECODER.decode(body.decode()) if body else None
    except (ValueError, RecursionError) as error:
        raise UnmarshalError(f"Unable to unmarshal input: {error}") from error


def _reject_constant(name: str) -> None:
    """AWS's client takes no NaN and no Infinity: they are not JSON."""
    raise ValueError(f"{name} is not JSON")


EVENT_DECODER = json.JSONDecoder(parse_constant=_reject_constant)


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 -- pathlib is slow to import
    except OSError:
        return ""  # the function has removed it


def _set_search_path(environ: MutableMapping[str, str], layer_python: str) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    sys.path[:] = search_path(environ, layer_python, version, sys.path)
    for folder in site_folders(environ, layer_python, version):
        if os.path.isdir(folder):  # noqa: PTH112 -- pathlib is slow to import
            site.addsitedir(folder)
