"""Everything that can go wrong, as Sluice reports it to its users.

SluiceError
├── SettingsError              an environment variable has a wrong value
├── RequestError               the client's request is wrong
│   ├── InvalidJson, InvalidField, UnsupportedMediaType, BodyTooLarge
│   ├── PromptTemplateNotAllowed, PromptTemplateNotFound
│   ├── UnknownPath, MethodNotAllowed
│   └── OriginNotAllowed       a page whose origin is not in CORS_ALLOW_ORIGINS
├── NoRetry                    a refusal that no waiting mends
│   ├── AddressNotAllowed      an address that IP_WHITELIST or IP_BLACKLIST keeps out
│   └── AuthenticationFailed   a missing or unknown key
├── UpstreamError              the model's side failed
│   ├── UpstreamRefused        it answered with an error, which is passed on
│   ├── UpstreamUnreachable    no connection
│   │   └── UpstreamUntrusted  its certificate cannot be verified
│   ├── UpstreamSilent         connected, but no bytes in time
│   ├── UpstreamBroken         its answer ended early, or is not an answer
│   │   └── UpstreamInvalid    it does not speak HTTP/1.1
│   └── NoMatch                its answer has no [[value]]
├── DeadlineReached            the function timed out
├── Cancelled                  the client cancelled this request
├── StateUnavailable           the store of connections and cancellations failed
└── DeliveryError              a post to the client's WebSocket failed
    ├── ConnectionGone, PostForbidden
    ├── PostTooLarge           to be retried in two halves
    ├── PostFailed             to be retried
    └── PostUnconfirmed        no reply: the frame may have arrived

`document()` is what a client sees, in OpenAI's shape. Messages never quote a prompt, a secret or
an answer. Only NoMatch quotes the beginning of the answer that its client requested.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

MAX_REPORTED_CHARACTERS = 4096
"""Maximum length of each field of an upstream's error, so that it fits one frame."""


class SluiceError(Exception):
    """An error with an HTTP status and OpenAI's error fields."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.own_headers: dict[str, str] = {}
        """Further headers of the gateway: what is left of its limits, what its cache did."""

    @property
    def http_status(self) -> int:
        return self.status

    @property
    def headers(self) -> dict[str, str]:
        """Headers of an HTTP reply with this error."""
        return {}

    def document(self) -> dict[str, Any]:
        """The value of `error` in a reply."""
        return {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }


class InvalidValue(ValueError):
    """A value that a setting cannot have. got: what to quote of it; empty if it may be secret."""

    def __init__(self, rule: str, got: str = "", hint: str = "") -> None:
        super().__init__(rule)
        self.rule, self.got, self.hint = rule, got, hint


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
    """The client's request is wrong."""

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


class NoRetry(SluiceError):
    """A refusal that no waiting mends. OpenAI's SDKs obey the header."""

    @property
    def headers(self) -> dict[str, str]:
        return {"x-should-retry": "false"}


class AddressNotAllowed(NoRetry):
    status = 403
    type = "invalid_request_error"
    code = "address_not_allowed"


class AuthenticationFailed(NoRetry):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class UpstreamError(SluiceError):
    """The model's side failed."""

    status = 502
    type = "upstream_error"
    code = "upstream_error"


class UpstreamRefused(UpstreamError):
    """The upstream answered with an error.

    reply_headers: only those the client may see. reported: the error object in the body, if any.
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
        reported = {name: _reported_text(self.reported, name) for name in own}
        return {name: reported[name] or own[name] for name in own}


def _reported_text(reported: dict[str, Any] | None, name: str) -> str | None:
    """A field of an upstream's error object. Some providers send numbers or objects there."""
    value = (reported or {}).get(name)
    return None if value is None else str(value)[:MAX_REPORTED_CHARACTERS]


class UpstreamUnreachable(UpstreamError):
    code = "upstream_unreachable"


class UpstreamUntrusted(UpstreamUnreachable):
    """Its certificate cannot be verified, now or later."""


class UpstreamSilent(UpstreamError):
    status = 504
    code = "upstream_timeout"


class UpstreamBroken(UpstreamError):
    code = "upstream_incomplete"


class UpstreamInvalid(UpstreamBroken):
    """It does not speak HTTP/1.1. Once it has replied at all, a retry may be billed."""


class NoMatch(UpstreamError):
    code = "no_match"


class DeadlineReached(SluiceError):
    status = 504
    type = "timeout_error"
    code = "deadline_exceeded"


class Cancelled(SluiceError):
    status = 499  # nginx's "client closed request"; no standard status says so
    type = "cancelled_error"
    code = "cancelled"


class StateUnavailable(SluiceError):
    """may_be_done: whether the store may have done what it was to do."""

    status = 503
    code = "state_unavailable"

    def __init__(self, message: str, *, may_be_done: bool = False) -> None:
        super().__init__(message)
        self.may_be_done = may_be_done

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "1"}


class DeliveryError(SluiceError):
    """A post to the client's WebSocket failed. The log says how; the client sees what it means."""

    status = 502
    type = "delivery_error"
    code = "delivery_failed"

    def document(self) -> dict[str, Any]:
        message = "Part of this answer may be missing: a frame could not be delivered."
        return {**super().document(), "message": message}


class ConnectionGone(DeliveryError):
    code = "connection_gone"


class PostForbidden(DeliveryError):
    code = "post_forbidden"


class PostTooLarge(DeliveryError):
    code = "post_too_large"


class PostFailed(DeliveryError):
    code = "post_failed"


class PostUnconfirmed(DeliveryError):
    """API Gateway did not say whether it took a frame. A retry could show the client it twice."""


def internal_error() -> SluiceError:
    """What a client sees of a bug."""
    return SluiceError("The gateway failed. Its log says why.")
