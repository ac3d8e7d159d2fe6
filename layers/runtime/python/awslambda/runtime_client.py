"""The connection to the Lambda Runtime API: sends requests, waits for replies.

It uses `_socket`, the C part of `socket`. The Python part takes 3 ms to import, and belongs to the
function, which may patch it (gevent does) or set a default timeout.
"""

from __future__ import annotations

import _socket
from types import SimpleNamespace

from awslambda import http1, runtime_api
from awslambda.errors import ResponseStreamBroken, RuntimeApiError
from awslambda.runtime_api import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from awslambda.runtime_api import Invocation
    from awslambda.runtime_log import RuntimeLog

    Piece = bytes | memoryview

MAX_LOGGED_REASON_BYTES = 500
"""Maximum length of a logged rejection, in bytes: Lambda's have about 150."""
RECEIVE_BYTES = 64 * 1024
"""Size of one recv, in bytes: an event has at most 6 MB."""
NEXT_RETRIES = 2
"""How often a request for an event is repeated: the kept connection may be dead, and the next may
break as well. Lambda gives an event that was not answered again."""
MAX_REPEATS = 5
"""How often in a row an event may come again before the process ends; Lambda starts another."""
_LOST_STREAM = Failure(
    ResponseStreamBroken.error_type,
    b'{"errorMessage": "The streamed response got no reply; it cannot be sent again.",'
    b' "errorType": "Runtime.ResponseStreamBroken", "requestId": "", "stackTrace": []}',
)


class _Answer(SimpleNamespace):
    """An answer that may have to be sent again."""

    def __init__(self, invocation: Invocation, request: bytes, what: str) -> None:
        self.invocation = invocation
        self.request = request
        self.what = what

    def is_for(self, invocation: Invocation) -> bool:
        """Whether this event was served; a retry by Lambda has another invocation id."""
        names = ("request_id", "invocation_id", "event")  # an emulator may give all events one id
        return all(getattr(invocation, name) == getattr(self.invocation, name) for name in names)


class RuntimeClient:
    """Talks to the Runtime API at `address` ("host:port") over one kept connection.

    If the connection breaks, the next message opens a new one: a lost answer never costs the next
    event. An answer without a reply is sent once more, and its event is not served again.

    Sentry replaces the methods post_… by their names, which are those of AWS's client: it sends
    what it has captured before each.
    """

    def __init__(
        self,
        address: str,
        log: RuntimeLog,
        connect: Callable[[tuple[str, int]], _socket.socket] | None = None,
    ) -> None:
        self._host = address
        self._next_request = runtime_api.next_request(address)
        self._log = log
        self._connect = connect or _connect
        self._socket: _socket.socket | None = None
        self._unanswered: _Answer | None = None

    def next_invocation(self) -> Invocation:
        """Wait for the next event, without a timeout.

        Lambda sends an event again until it is answered. One that was served already gets its
        answer again. Raises RuntimeApiError if that is in vain.
        """
        for _ in range(MAX_REPEATS):
            invocation = self._next_event()
            answer = self._unanswered
            if answer is None or not answer.is_for(invocation):
                self._unanswered = None
                return invocation
            self._warn(f"an event came again, as its answer was lost: posting {answer.what} only")
            self._answer(answer)
        raise RuntimeApiError("the Runtime API gives events, but takes no answer")

    def _next_event(self) -> Invocation:
        reply = None
        for _ in range(NEXT_RETRIES):
            try:
                reply = self._exchange(self._next_request)
                break
            except (OSError, RuntimeApiError):
                pass
        return runtime_api.parse_invocation(reply or self._exchange(self._next_request))

    def post_invocation_result(
        self, invocation: Invocation, body: bytes | None, content_type: str = "application/json"
    ) -> None:
        """Deliver the whole answer of an ordinary handler; None: it was streamed by `send`."""
        if body is None:
            self._finish_stream(invocation)
        else:
            request = runtime_api.response_request(self._host, invocation, body, content_type)
            self._answer(_Answer(invocation, request, "response"))

    def post_invocation_error(self, invocation: Invocation, failure: Failure) -> None:
        """Report that a handler failed before its answer began."""
        request = runtime_api.error_request(self._host, invocation, failure)
        self._answer(_Answer(invocation, request, "error"))

    def post_init_error(self, failure: Failure) -> None:
        """Report that the function cannot start; exit afterwards."""
        self._post(runtime_api.init_error_request(self._host, failure), "init error")

    def wait_for_restore(self) -> None:
        """Let Lambda take its snapshot; return after the restore.

        Raises OSError or RuntimeApiError if Lambda does not accept that.
        """
        reply = self._exchange(runtime_api.restore_next_request(self._host))
        if reply.status != runtime_api.OK:
            raise RuntimeApiError(f"the Runtime API answered {reply.status} to restore/next")

    def post_restore_error(self, failure: Failure) -> None:
        """Report that a hook failed after the restore; exit afterwards."""
        self._post(runtime_api.restore_error_request(self._host, failure), "restore error")

    def open_stream(
        self, invocation: Invocation, content_type: str, first: Sequence[Piece]
    ) -> None:
        """Begin a streamed answer; `first` is sent in the same packet as the head."""
        head = runtime_api.streamed_response_head(self._host, invocation, content_type)
        self._connection()
        self.send([head, *first])

    def send(self, pieces: Sequence[Piece]) -> None:
        """Send more of the streamed answer; return once the kernel has all of it.

        The pieces are not joined: a large one is never copied, small ones share a packet.
        Raises ResponseStreamBroken if Lambda has closed the connection.
        """
        if self._socket is None:
            raise ResponseStreamBroken("Lambda has closed this answer's connection: stop writing")
        try:
            sent = self._socket.sendmsg(pieces)  # at most a dozen, far below IOV_MAX
            if sent < sum(map(len, pieces)):
                _send_rest(self._socket, pieces, sent)
        except OSError as error:
            self.close()
            raise ResponseStreamBroken(
                f"Lambda has closed this answer's connection ({error}): stop writing"
            ) from error

    def _finish_stream(self, invocation: Invocation) -> None:
        """Wait for the reply to a streamed answer, after its last bytes."""
        try:
            reply = self._receive(self._socket) if self._socket else None
        except (OSError, RuntimeApiError) as error:
            self.close()
            self._warn(f"no reply to the streamed response: {error}")
            reply = None
        if reply is None:  # nobody keeps what was streamed
            request = runtime_api.error_request(self._host, invocation, _LOST_STREAM)
            self._unanswered = _Answer(invocation, request, _LOST_STREAM.error_type)
        else:
            self._check(reply, "streamed response")

    def _answer(self, answer: _Answer) -> None:
        self._unanswered = None if self._post(answer.request, answer.what) else answer

    def _post(self, request: bytes, what: str) -> bool:
        """Send twice at most, the second time over a new connection; False without a reply.

        If Lambda has had the first, it rejects the second, which is logged.
        """
        try:
            reply = self._exchange(request)
        except (OSError, RuntimeApiError):
            try:
                reply = self._exchange(request)
            except (OSError, RuntimeApiError) as error:
                self._warn(f"no reply to the {what}: {error}")
                return False
        self._check(reply, what)
        return True

    def _check(self, reply: http1.Reply, what: str) -> None:
        """Accepted or not, the invocation is over. Only status 500 ends the process."""
        if reply.status == runtime_api.CONTAINER_ERROR:
            raise RuntimeApiError(f"the Runtime API answered 500 to the {what}: cannot continue")
        if reply.status >= 300:  # noqa: PLR2004 -- not a 2xx
            reason = reply.body[:MAX_LOGGED_REASON_BYTES].decode("utf-8", "replace")
            self._warn(f"rejected the {what}: {reply.status} {reason}")

    def _warn(self, message: str) -> None:
        self._log.warning(f"Runtime API: {message}")

    def _exchange(self, request: bytes) -> http1.Reply:
        connection = self._connection()
        try:
            connection.sendall(request)
            return self._receive(connection)
        except (OSError, RuntimeApiError):
            self.close()
            raise

    def _receive(self, connection: _socket.socket) -> http1.Reply:
        parser = http1.ReplyParser()
        reply = None
        while reply is None:
            reply = parser.feed(connection.recv(RECEIVE_BYTES))
        if not reply.keep_alive:
            self.close()
        return reply

    def _connection(self) -> _socket.socket:
        """The kept connection, or a new one if Lambda has closed it."""
        if self._socket is not None and _is_closed_by_peer(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._open()
        return self._socket

    def _open(self) -> _socket.socket:
        host, _, port = self._host.rpartition(":")
        connection = self._connect((host, int(port)))
        connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)  # a delta must not wait
        return connection

    def close(self) -> None:
        """Close the kept connection; the next message opens a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _connect(address: tuple[str, int]) -> _socket.socket:
    """create_connection for IPv4, without the 4 ms that it spends on non-ASCII names."""
    connection = _socket.socket()
    connection.settimeout(None)  # the function may have called socket.setdefaulttimeout
    connection.connect(address)
    return connection


def _is_closed_by_peer(connection: _socket.socket) -> bool:
    try:
        return not connection.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False  # nothing to read: open and idle, as expected
    except OSError:
        return True


def _send_rest(connection: _socket.socket, pieces: Sequence[Piece], sent: int) -> None:
    """Continue a send that a signal interrupted: a blocking socket is cut short by nothing else."""
    waiting = [memoryview(piece) for piece in pieces]
    while waiting:
        while waiting and sent >= len(waiting[0]):
            sent -= len(waiting.pop(0))
        if waiting:
            waiting[0] = waiting[0][sent:]
            sent = connection.sendmsg(waiting)
