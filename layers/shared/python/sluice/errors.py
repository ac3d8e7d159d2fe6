"""Everything that Sluice tells its users has gone wrong.

SluiceError
├── SettingsError              an environment variable is not what it must be
├── RequestError               the client's request cannot be served as it is
│   ├── InvalidJson, InvalidField, UnsupportedMediaType, BodyTooLarge
│   ├── PromptTemplateNotAllowed, PromptTemplateNotFound
│   ├── UnknownPath, MethodNotAllowed
│   └── OriginNotAllowed       a page whose origin is not in CORS_ALLOW_ORIGINS
├── AuthenticationFailed       no key, or one that is not known
├── UpstreamError              the model's side
│   ├── UpstreamRefused        it answered with an error of its own, which is passed on
│   ├── UpstreamUnreachable    no connection
│   ├── UpstreamSilent         a connection, but no bytes in time
│   ├── UpstreamBroken         it ended in the middle, or sent what is no answer
│   └── NoMatch                its answer holds no [[value]]
├── DeadlineReached            the function must end before the answer does
├── Cancelled                  the client wants no more of this answer
├── StateUnavailable           the store of connections and cancellations does not answer
└── DeliveryError              the client's WebSocket cannot be written to
    ├── ConnectionGone, PostForbidden
    ├── PostTooLarge           worth two attempts of half the size
    └── PostFailed             worth another attempt

`document()` is what a client sees, in OpenAI's shape. Messages never quote a prompt, an answer
(NoMatch's short excerpt apart, which is the answer its client asked for) or a secret.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

MAX_TOLD_CHARACTERS = 4096  # of each field of an upstream's error: it is told in one frame


class SluiceError(Exception):
    """An error with a place in HTTP (`status`) and in OpenAI's error object."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    @property
    def http_status(self) -> int:
        return self.status

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to this error."""
        return {}

    def document(self) -> dict[str, Any]:
        """The value of `error` in a reply."""
        return {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }


class SettingsError(SluiceError):
    """An environment variable has a wrong value. The log names it, the client's error does not.

    rule: goes on from the variable's name, "must be …". got: what to quote of the value, if it is
    no secret. hint: what to do.
    """

    code = "misconfigured"

    def __init__(self, variable: str, rule: str, got: str = "", hint: str = "") -> None:
        found = f" (got {got})" if got else ""
        super().__init__(f"{variable} {rule}{found}.{hint and ' '}{hint}")
        self.variable = variable

    def document(self) -> dict[str, Any]:
        return {**super().document(), "message": "The gateway is misconfigured. Its log says how."}


class RequestError(SluiceError):
    """The client's request cannot be served as it is."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class InvalidJson(RequestError):
    code = "invalid_json"


class InvalidField(RequestError):
    code = "invalid_field"


class PromptTemplateNotAllowed(RequestError):
    code = "prompt_template_not_allowed"


class PromptTemplateNotFound(RequestError):
    code = "prompt_template_not_found"


class UnsupportedMediaType(RequestError):
    status = 415
    code = "unsupported_media_type"


class BodyTooLarge(RequestError):
    status = 413
    code = "body_too_large"


class OriginNotAllowed(RequestError):
    status = 403
    code = "origin_not_allowed"


class UnknownPath(RequestError):
    status = 404
    code = "unknown_path"


class MethodNotAllowed(RequestError):
    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": ", ".join(self.allowed)}


class AuthenticationFailed(SluiceError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class UpstreamError(SluiceError):
    """The model's side failed."""

    status = 502
    type = "upstream_error"
    code = "upstream_error"


class UpstreamRefused(UpstreamError):
    """The upstream answered with an error of its own.

    reply_status, reply_headers (those for the client) and reply_body are what it sent; `reported`
    is its error object, if it sent one.
    """

    code = "upstream_refused"

    def __init__(
        self,
        reply_status: int,
        reply_headers: dict[str, str],
        reply_body: bytes,
        reported: dict[str, Any] | None,
        message: str = "",
    ) -> None:
        super().__init__(message or f"The upstream answered with status {reply_status}.")
        self.reply_status = reply_status
        self.reply_headers = reply_headers
        self.reply_body = reply_body
        self.reported = reported

    @property
    def http_status(self) -> int:
        return self.reply_status

    def document(self) -> dict[str, Any]:
        own = super().document()
        reported = {name: _told(self.reported, name) for name in own}
        return {name: reported[name] or own[name] for name in own}


def _told(reported: dict[str, Any] | None, name: str) -> str | None:
    """A field of an upstream's error object; providers put numbers and objects there too."""
    value = (reported or {}).get(name)
    return None if value is None else str(value)[:MAX_TOLD_CHARACTERS]


class UpstreamUnreachable(UpstreamError):
    code = "upstream_unreachable"


class UpstreamSilent(UpstreamError):
    status = 504
    code = "upstream_timeout"


class UpstreamBroken(UpstreamError):
    code = "upstream_incomplete"


class NoMatch(UpstreamError):
    code = "no_match"


class DeadlineReached(SluiceError):
    status = 504
    type = "timeout_error"
    code = "deadline_exceeded"


class Cancelled(SluiceError):
    status = 499  # nginx's: the client is the one who ended it, and no standard status says so
    type = "cancelled_error"
    code = "cancelled"


class StateUnavailable(SluiceError):
    status = 503
    code = "state_unavailable"


class DeliveryError(SluiceError):
    """The client's WebSocket cannot be written to; nobody is left to be told."""

    status = 502
    type = "delivery_error"
    code = "delivery_failed"


class ConnectionGone(DeliveryError):
    code = "connection_gone"


class PostForbidden(DeliveryError):
    code = "post_forbidden"


class PostTooLarge(DeliveryError):
    code = "post_too_large"


class PostFailed(DeliveryError):
    code = "post_failed"
