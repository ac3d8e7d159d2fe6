"""Calls the operations of an AWS API that speaks the JSON protocol."""

from __future__ import annotations

import json
import time

from sluice.aws.endpoints import endpoint_of
from sluice.aws.errors import AwsError, AwsMisconfigured, AwsUnreachable
from sluice.aws.json_protocol import read_reply
from sluice.aws.retries import clock_skew, jitter, pause_before_retry
from sluice.aws.sigv4 import Credentials, Scope, sign
from sluice.http.errors import TransportError
from sluice.http.transport import HttpRequest, HttpTransport, Waits
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sluice.aws.json_protocol import Service

MAX_REST_S = 20.0
"""How long a connection may rest before its next request, in seconds. Lambda freezes the process
between events, so an older one may be gone without a sign; a new handshake takes some 10 ms."""

AUTHORITIES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that name a PEM file: for AWS's SDKs the first two, for the provider the last two."""


class Limits(NamedTuple):
    """Maximum waits of an operation, in seconds, and its maximum number of attempts.

    connect_s: TLS included. reply_s: for the first byte and for each pause. total_s: all attempts
    and the pauses between them.
    """

    connect_s: float
    reply_s: float
    total_s: float
    attempts: int


class JsonApi:
    """One API, over kept connections. Any thread may call it.

    environ: region, endpoint and credentials are read at each call, because Lambda renews the
    credentials; the first of AUTHORITIES adds certificate authorities. clock: seconds since 1970.
    random, sleep: for the pauses between attempts.
    """

    def __init__(
        self,
        service: Service,
        environ: Mapping[str, str],
        limits: Limits,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[], float] = jitter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._service, self._environ, self._limits = service, environ, limits
        self._clock, self._random, self._sleep = clock, random, sleep
        self._skew_s = 0.0
        # Only this module knows which operations may be repeated.
        self._transport = HttpTransport(
            trusted_certificates=next(filter(None, map(environ.get, AUTHORITIES)), None),
            max_rest_s=MAX_REST_S,
            may_repeat=False,
            reads_bodies=True,
            clock=clock,
        )

    def close(self) -> None:
        """Close the kept connections; the next call opens a new one."""
        self._transport.close()

    def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        may_repeat: bool,
        end: float | None = None,
    ) -> dict[str, Any]:
        """The operation's result.

        may_repeat: whether the operation does no harm when AWS does it twice. Without it, a request
        that AWS may have done is not sent again. end: see `end_of`. Raises AwsError.
        """
        end = self.end_of() if end is None else end
        body = json.dumps(parameters).encode()
        failures = 0
        is_corrected = False
        while True:
            known_skew_s = self._skew_s
            signed_at = self._clock() + known_skew_s
            try:
                return self._attempt(operation, body, signed_at, end)
            except AwsError as error:
                skew = clock_skew(error, signed_at)
                if skew is not None and not is_corrected:
                    self._skew_s = known_skew_s + skew
                    is_corrected = True
                    continue
                failures += 1
                self.wait_to_retry(error, failures, end, may_repeat=may_repeat)

    def end_of(self, total_s: float | None = None) -> float:
        """The moment of time.monotonic() when an operation that begins now must have ended."""
        return time.monotonic() + (self._limits.total_s if total_s is None else total_s)

    def wait_to_retry(
        self, error: AwsError, failures: int, end: float, *, may_repeat: bool
    ) -> None:
        """Wait before the next attempt. Raises `error` if there is none."""
        pause_s = pause_before_retry(error, failures, may_repeat=may_repeat, random=self._random)
        is_last = failures >= self._limits.attempts
        if is_last or pause_s is None or time.monotonic() + pause_s >= end:
            raise error
        self._sleep(pause_s)

    def _attempt(self, operation: str, body: bytes, now: float, end: float) -> dict[str, Any]:
        request = self._request(operation, body, now)
        limits = self._limits
        try:
            reply = self._transport.send(
                request, Waits(limits.connect_s, limits.reply_s, limits.reply_s, end)
            )
            try:
                received = b"".join(iter(reply.read, b""))
            finally:
                reply.close()
        except TransportError as error:
            raise AwsUnreachable(type(error).__name__, may_be_done=error.was_sent) from error
        except ValueError as error:
            raise AwsMisconfigured("the credentials cannot be sent") from error
        return read_reply(reply.status, reply.headers, received)

    def _request(self, operation: str, body: bytes, now: float) -> HttpRequest:
        url, region = endpoint_of(self._service.name, self._environ)
        try:
            credentials = Credentials.from_environ(self._environ)
        except KeyError as error:
            raise AwsMisconfigured(f"{error.args[0]} is missing") from error
        headers = self._service.headers(operation)
        scope = Scope(region, self._service.name, now)
        signature = sign("POST", url, body, credentials, scope, headers)
        return HttpRequest("POST", url, {**headers, **signature}, body)
