"""How requests fail: TransportErrors, which become SluiceErrors where a transport is used."""

from __future__ import annotations

from sluice.http.connection import ProxyRefusedError
from sluice.http.http1 import HttpError, IncompleteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.http.connection import Opening

CONNECT, SENDING, FIRST_BYTE, NEXT_BYTE, END = (
    "connect", "sending", "first byte", "next byte", "end",
)  # fmt: skip
"""What TimedOut says was over: one of the waits, or all of the time."""


class TransportError(Exception):
    """A request failed. was_sent: whether the other side may have received all of it."""

    def __init__(self, *, was_sent: bool) -> None:
        super().__init__()
        self.was_sent = was_sent
        self.opening: Opening | None = None
        """See HttpReply."""


class CannotConnect(TransportError):
    """There is no connection: refused, unknown host, unwilling proxy.

    reason: why, where a proxy or TLS says it; quotes nothing of the other side.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(was_sent=False)
        self.reason = reason


class UntrustedCertificate(CannotConnect):
    """The certificate of the other side, or of a proxy, cannot be verified."""


class Stopped(TransportError):
    """Another thread has stopped the request."""


class TimedOut(TransportError):
    """wait: CONNECT, SENDING, FIRST_BYTE, NEXT_BYTE or END."""

    def __init__(self, wait: str, *, was_sent: bool) -> None:
        super().__init__(was_sent=was_sent)
        self.wait = wait


class ReplyBroken(TransportError):
    """The connection ended within the reply's body."""


class NoReply(TransportError):
    """The same before the reply's headers. has_begun: whether any byte of a reply has come."""

    def __init__(self, *, has_begun: bool) -> None:
        super().__init__(was_sent=True)
        self.has_begun = has_begun


class InvalidReply(TransportError):
    """What came is not HTTP/1. reason: see HttpError."""

    def __init__(self, reason: str) -> None:
        super().__init__(was_sent=True)
        self.reason = reason


def cannot_connect(error: BaseException) -> CannotConnect:
    """What an error of connecting is; one of those that led to it may say more."""
    first: BaseException | None = error
    while first is not None:
        if isinstance(first, ProxyRefusedError):
            return CannotConnect(str(first))
        # By their attributes: `ssl` is slow to import, and loaded where one of its errors is.
        if problem := getattr(first, "verify_message", ""):
            return UntrustedCertificate(problem.partition(",")[0])  # after a comma: the host
        if getattr(first, "library", "") == "SSL":
            words = str(getattr(first, "reason", None) or "no reason").lower().replace("_", " ")
            return CannotConnect(f"TLS failed: {words}.")
        inner = (each for each in first.args if isinstance(each, BaseException))  # urllib3's
        first = first.__cause__ or first.__context__ or next(inner, None)
    return CannotConnect()


def no_reply(error: Exception, *, has_begun: bool) -> InvalidReply | NoReply:
    """What an error before a reply's headers is."""
    return _invalid_reply(error) or NoReply(has_begun=has_begun)


def broken_reply(error: Exception) -> InvalidReply | ReplyBroken:
    """What an error within a reply's body is."""
    return _invalid_reply(error) or ReplyBroken(was_sent=True)


def _invalid_reply(error: Exception) -> InvalidReply | None:
    is_cut = isinstance(error, IncompleteError) or not isinstance(error, HttpError)
    return None if is_cut else InvalidReply(str(error))
