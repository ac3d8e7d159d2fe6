"""What a client is told when the upstream fails. No I/O."""

from __future__ import annotations

import re

from sluice.deadline import deadline_reached
from sluice.errors import (
    SluiceError,
    UpstreamBroken,
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
    UpstreamUntrusted,
)
from sluice.http.errors import (
    CONNECT,
    FIRST_BYTE,
    NEXT_BYTE,
    SENDING,
    CannotConnect,
    InvalidReply,
    ReplyBroken,
    Stopped,
    TimedOut,
    TransportError,
    UntrustedCertificate,
)
from sluice.upstream.error_words import reported_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sluice.settings import Settings
    from sluice.stop_signal import StopSignal

REDIRECTS = (300, 301, 302, 303, 305, 307, 308)
FIRST_ERROR_STATUS = 400
LAST_STATUS = 599
"""The last status of HTTP, and the last that Lambda sends. RFC 9110 section 15."""
UNAUTHORIZED = 401
BAD_REQUEST = 400
REJECTED_KEY_WORDS = r"(?i)\bAPI key not valid"
"""Gemini's, with status 400."""
REJECTED_KEY = (
    "It rejects the gateway's key. Check OPENAI_API_KEY, or the setting that holds this API's key."
)
UNKNOWN_MODEL_STATUSES = (400, 404, 422)
UNKNOWN_MODEL_WORDS = (
    r"(?is)\bmodels?\b.{0,300}?\b(?:not[ _]found|not exist|not a valid|is invalid|decommissioned)"
    r"|\b(?:invalid|unknown|no such|not a valid|unable to access) model|model_not_|invalid_model"
    r"|deployment.{0,60}?not exist|no endpoints found"
)
"""What providers say of a model that they do not have."""
UNKNOWN_MODEL = (
    "It does not know the model. Name another one in the request, or set OPENAI_MODEL for requests"
    " that name none."
)
AUTHORITIES = "REQUESTS_CA_BUNDLE or SSL_CERT_FILE"


def transport_failure(
    error: TransportError,
    settings: Settings,
    stop_signal: StopSignal | None,
    url_variable: str,
) -> SluiceError:
    """What a failure of the transport means. url_variable: see Target."""
    if isinstance(error, Stopped) and stop_signal is not None and stop_signal.reason is not None:
        return stop_signal.reason
    if isinstance(error, TimedOut):
        return _timeout_error(error.wait, settings)
    if isinstance(error, InvalidReply):
        return UpstreamInvalid(
            f"The upstream's HTTP reply is invalid: {error.reason}. Check that {url_variable} is an"
            " HTTP/1.1 server."
        )
    if isinstance(error, ReplyBroken):
        return UpstreamBroken("The upstream ended the connection in the middle of its answer.")
    if isinstance(error, CannotConnect):
        return _no_connection(error, settings, url_variable)
    return UpstreamUnreachable("The upstream ended the connection before its answer began.")


def _no_connection(
    error: CannotConnect, settings: Settings, url_variable: str
) -> UpstreamUnreachable:
    place = f"{url_variable} and PROXY are" if settings.proxy else f"{url_variable} is"
    if isinstance(error, UntrustedCertificate):
        return UpstreamUntrusted(
            f"The upstream's certificate cannot be verified: {error.reason}. Check that {place}"
            f" right, or name the certificate's authority in {AUTHORITIES}."
        )
    why = f" {error.reason}" if error.reason else ""
    return UpstreamUnreachable(
        f"Cannot connect to the upstream.{why} Check that {place} running and reachable."
    )


def odd_status(status: int, url_variable: str) -> UpstreamError | None:
    """What a status from 300 on means that is not an error's; None for an error's."""
    if status in REDIRECTS:
        return UpstreamError(
            f"The upstream redirects (status {status}): {url_variable} must be the address it"
            " redirects to."
        )
    if FIRST_ERROR_STATUS <= status <= LAST_STATUS:
        return None
    return UpstreamError(
        f"The upstream sent status {status}, which is neither an answer nor an error. Check that"
        f" {url_variable} is an OpenAI-compatible API."
    )


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, fault: str = ""
) -> UpstreamRefused:
    """An error that the upstream sent. fault: why its body cannot be read, if it cannot."""
    passed = {name: v for name, v in headers.items() if name != "content-encoding"}
    reported = reported_error(body)
    fault = fault or _fault_of_settings(status, reported)
    message = f"The upstream answered with status {status}. {fault}" if fault else ""
    return UpstreamRefused(status, passed, body, reported, message)


def _fault_of_settings(status: int, reported: dict[str, Any] | None) -> str:
    """Which setting is wrong; "" if none seems to be. Each provider says so in its own words."""
    said = " ".join(str(value) for value in (reported or {}).values())
    if status == UNAUTHORIZED or (status == BAD_REQUEST and re.search(REJECTED_KEY_WORDS, said)):
        return REJECTED_KEY
    is_unknown_model = status in UNKNOWN_MODEL_STATUSES and re.search(UNKNOWN_MODEL_WORDS, said)
    return UNKNOWN_MODEL if is_unknown_model else ""


def _timeout_error(wait: str, settings: Settings) -> SluiceError:
    if wait == CONNECT:
        found = f"for {settings.connect_timeout_s:g} s (UPSTREAM_CONNECT_TIMEOUT)"
        return UpstreamUnreachable(f"There was no connection to the upstream {found}.")
    if wait == FIRST_BYTE:
        found = f"for {settings.first_byte_timeout_s:g} s (UPSTREAM_FIRST_BYTE_TIMEOUT)"
        return UpstreamSilent(f"The upstream sent no first byte {found}.")
    if wait in (SENDING, NEXT_BYTE):
        what = "took nothing of the request" if wait == SENDING else "paused in its answer"
        found = f"for {settings.read_timeout_s:g} s (UPSTREAM_READ_TIMEOUT)"
        return UpstreamSilent(f"The upstream {what} {found}.")
    return deadline_reached()
