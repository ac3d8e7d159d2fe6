"""The connection to the Lambda Runtime API: sends its messages, waits for its replies.

The connection is one of `_socket`, the part of `socket` that is written in C. The other part is
3 ms of start-up for enumerations and files that nothing here uses, and belongs to the function,
which may patch it (gevent does) or set a timeout for all that it makes.
"""

from __future__ import annotations

import _socket

from awslambda import http1, runtime_api
from awslambda.errors import ResponseStreamBroken, RuntimeApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from awslambda.runtime_api import Failure, Invocation
    from awslambda.runtime_log import RuntimeLog

    Piece = bytes | memoryview

MAX_LOGGED_REASON = 500  # bytes of a refusal's body; Lambda's are about 150
RECEIVE_BYTES = 64 * 1024  # one recv; an event is at most 6 MB


class RuntimeClient:
    """Speaks with the Runtime API at `address` ("host:port") over one kept connection.

    A connection that breaks is opened anew for the next message, so a lost answer never costs
    the next event.
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

    def next_invocation(self) -> Invocation:
        """Wait for the next event, for as long as it takes.

        Asking twice is safe: Lambda gives the same event until it is answered.
        """
        try:
            reply = self._exchange(self._next_request)
        except (OSError, RuntimeApiError):
            reply = self._exchange(self._next_request)  # the kept connection had died
        return runtime_api.parse_invocation(reply)

    def post_response(self, invocation: Invocation, body: bytes) -> None:
        """Deliver the whole answer of an ordinary handler."""
        self._post(runtime_api.response_request(self._host, invocation, body), "response")

    def post_error(self, invocation: Invocation, failure: Failure) -> None:
        """Report that a handler failed before its answer began."""
        self._post(runtime_api.error_request(self._host, invocation, failure), "error")

    def post_init_error(self, failure: Failure) -> None:
        """Report that the function cannot start; exit after it."""
        self._post(runtime_api.init_error_request(self._host, failure), "init error")

    def wait_for_restore(self) -> None:
        """Let Lambda take its snapshot; returns once it has been restored.

        Raises OSError or RuntimeApiError where Lambda says otherwise.
        """
        reply = self._exchange(runtime_api.restore_next_request(self._host))
        if reply.status != runtime_api.OK:
            raise RuntimeApiError(f"the Runtime API answered {reply.status} to restore/next")

    def post_restore_error(self, failure: Failure) -> None:
        """Report that a hook failed after the restore; exit after it."""
        self._post(runtime_api.restore_error_request(self._host, failure), "restore error")

    def open_stream(
        self, invocation: Invocation, content_type: str, first: Sequence[Piece]
    ) -> None:
        """Begin a streamed answer; `first` goes out in the same packet as the head."""
        head = runtime_api.streamed_response_head(self._host, invocation, content_type)
        self._connection()
        self.send([head, *first])

    def send(self, pieces: Sequence[Piece]) -> None:
        """Send more of the streamed answer; returns when the kernel has taken all of it.

        The pieces are not joined: a large one is never copied, small ones are one packet.
        Raises ResponseStreamBroken when Lambda has closed the connection.
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

    def finish_stream(self) -> None:
        """Wait for the reply to a streamed answer whose last bytes have been sent."""
        if self._socket is None:
            return
        try:
            reply = self._receive(self._socket)
        except (OSError, RuntimeApiError) as error:
            self.close()
            self._warn(f"no reply to the streamed response: {error}")
        else:
            self._check(reply, "streamed response")

    def _post(self, request: bytes, what: str) -> None:
        try:
            reply = self._exchange(request)
        except (OSError, RuntimeApiError) as error:
            self._warn(f"no reply to the {what}: {error}")
        else:
            self._check(reply, what)

    def _check(self, reply: http1.Reply, what: str) -> None:
        """Accepted or not, the invocation is over: all but 500 means going on."""
        if reply.status == runtime_api.CONTAINER_ERROR:
            raise RuntimeApiError(f"the Runtime API answered 500 to the {what}: cannot go on")
        if reply.status >= 300:  # noqa: PLR2004 -- not a 2xx
            reason = reply.body[:MAX_LOGGED_REASON].decode("utf-8", "replace")
            self._warn(f"the {what} was refused: {reply.status} {reason}")

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
        """The kept connection, or a new one where Lambda has closed it in the meantime."""
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
    """What create_connection does for IPv4, without its 4 ms for names beyond ASCII."""
    connection = _socket.socket()
    connection.settimeout(None)  # the function may have called socket.setdefaulttimeout
    connection.connect(address)
    return connection


def _is_closed_by_peer(connection: _socket.socket) -> bool:
    try:
        return not connection.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False  # nothing to read: open and quiet, as it should be
    except OSError:
        return True


def _send_rest(connection: _socket.socket, pieces: Sequence[Piece], sent: int) -> None:
    """Go on where a signal has interrupted a send: nothing else does with a blocking socket."""
    waiting = [memoryview(piece) for piece in pieces]
    while waiting:
        while waiting and sent >= len(waiting[0]):
            sent -= len(waiting.pop(0))
        if waiting:
            waiting[0] = waiting[0][sent:]
            sent = connection.sendmsg(waiting)
