"""The Function URL: checks a request, sends it to the model, and streams the answer."""

from __future__ import annotations

import json
from functools import partial

from sluice import VERSION
from sluice.authentication import key_of_headers
from sluice.completions.request import (
    NativeRequest,
    ResponseType,
    TemplateRequest,
    parse_object,
    parse_request,
    plain_request,
)
from sluice.errors import (
    BodyTooLarge,
    InvalidField,
    InvalidJson,
    SettingsError,
    SluiceError,
    UnsupportedMediaType,
)
from sluice.http.urls import without_parameter, without_values
from sluice.named_tuple import NamedTuple
from sluice.request_log import RequestLog
from sluice.trace import UNTRACED
from sluice.upstream.call import ModelCall, model_of, model_of_path
from sluice.url.reply import UrlReply
from sluice.url.routes import Routes, not_allowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any, TypeVar

    from sluice.access.identity import Access
    from sluice.authentication import Principal
    from sluice.completions.answer import ModelAnswer
    from sluice.completions.asking import ModelAnswers
    from sluice.deadline import Deadline
    from sluice.key_ring import KeyRing
    from sluice.settings import Settings
    from sluice.trace import Trace
    from sluice.upstream.targets import Target
    from sluice.url.events import UrlRequest
    from sluice.url.reply import Body
    from sluice.url.routes import Route

    ParsedT = TypeVar("ParsedT")

MAX_BODY_BYTES = 6 * 1024 * 1024
"""Maximum size of a request body: Lambda's limit.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
FORM = "application/x-www-form-urlencoded"  # what curl -d calls JSON
JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain; charset=utf-8"}
API_VERSION = "api-version"
"""A parameter of Azure's clients. It names a version of Azure's API, not of the provider's."""
UNNAMED = "unnamed"
"""A signer that Lambda does not name."""
COMPLETIONS = ("/chat/completions", "/completions", "/responses")  # these take the default model


class UrlExchange(NamedTuple):
    """One request to the Function URL and everything that its answer needs."""

    request: UrlRequest
    reply: UrlReply
    deadline: Deadline
    log: RequestLog
    principal: Principal | None = None
    """Who makes the request, once that is known."""


class UrlGateway:
    """Answers the requests of one Function URL. Make one for the life of the process.

    targets: the APIs behind the gateway, the default one first.
    """

    def __init__(
        self,
        settings: Settings,
        answers: ModelAnswers,
        targets: tuple[Target, ...],
        forward_keys: KeyRing,
        access: Access,
    ) -> None:
        self._settings = settings
        self._answers = answers
        self._targets = targets
        self._forward_keys = forward_keys
        self._access = access
        self._own = {
            ("GET", "/"): self._answer_message_or_describe,
            ("POST", "/"): self._answer_template_or_native,
            ("GET", "/key/info"): self._describe_key,
            ("GET", "/healthz"): self._report_health,
        }
        self._routes = Routes(self._own, targets)

    def answer(
        self,
        request: UrlRequest,
        open_body: Callable[[dict[str, Any]], Body],
        deadline: Deadline,
        trace: Trace = UNTRACED,
    ) -> None:
        """Send the reply. Errors become replies too; UrlReply.fail raises those that cannot."""
        with RequestLog(request.request_id, "url", trace=trace, source_ip=request.source_ip) as log:
            log.note(method=request.method, path=self._routes.logged_path(request.path))
            cors = self._cors_headers(request)
            reply = UrlReply(open_body, self._answers.secrets, log, cors)
            try:
                self._answer(UrlExchange(request, reply, deadline, log))
            except SluiceError as error:
                reply.fail(error)
            finally:
                log.note(bytes=reply.bytes_sent, chunks=reply.chunks_sent)

    def _answer(self, exchange: UrlExchange) -> None:
        request = exchange.request
        self._check_address(request)
        own = self._routes.own(request.method, request.path)
        if own is not None:
            self._own[own](exchange)
        elif request.method != "OPTIONS" or not self._answer_preflight(exchange):
            route = self._routes.target_of(request.method, request.path)
            self._pass_through(route, self._authenticated(exchange, route.target))

    def _check_record(self, exchange: UrlExchange) -> None:
        """For answers that nothing is claimed for."""
        if exchange.principal is not None:
            self._access.check(exchange.principal)

    def _check_address(self, request: UrlRequest) -> None:
        settings = self._settings
        if settings.ip_whitelist or settings.ip_blacklist:
            from sluice.access.source_address import check_address  # noqa: PLC0415 -- few set either

            check_address(request.source_ip, settings)

    def _cors_headers(self, request: UrlRequest) -> dict[str, str]:
        allowed = self._settings.cors_allow_origins
        if not allowed:
            return {}
        from sluice.url.cross_origin import cors_headers  # noqa: PLC0415 -- few deployments allow any

        return cors_headers(request.headers, allowed)

    def _answer_preflight(self, exchange: UrlExchange) -> bool:
        """Whether a browser asks before it sends, and got its answer."""
        from sluice.url.cross_origin import is_preflight, preflight_headers  # noqa: PLC0415 -- see above

        headers = exchange.request.headers
        if not is_preflight(headers):
            return False
        allowed = self._settings.cors_allow_origins
        exchange.reply.whole(200, preflight_headers(headers, allowed), b"\n")
        return True

    def _authenticated(self, exchange: UrlExchange, target: Target | None = None) -> UrlExchange:
        """The exchange with its principal: who signed, or whose key it is.

        target: what the request is for; connected to while a record is read.
        With aws_iam, Lambda passes only signed requests. Otherwise a key is required. While a
        deployment changes from one to the other, functions have their new settings before the URL
        changes.
        """
        request = exchange.request
        meanwhile = partial(self._answers.open_ahead, target) if target else None
        if self._settings.function_url_auth == "none":
            principal = self._access.of_key(key_of_headers(request.headers), meanwhile)
        elif request.is_anonymous:
            rule = "is aws_iam, but the Function URL takes unsigned requests"
            raise SettingsError("FUNCTION_URL_AUTH", rule, hint="Deploy again.")
        else:
            principal = self._access.of_signer(request.user_arn or UNNAMED, meanwhile)
        exchange.log.note(**principal.logged)
        return exchange._replace(principal=principal)

    def _describe_key(self, exchange: UrlExchange) -> None:
        """The record of the key, its limits and what it has used; never another's."""
        principal = self._authenticated(exchange).principal
        assert principal is not None  # noqa: S101 -- see _authenticated
        path = f"{self._targets[0].route_prefix}{COMPLETIONS[0]}"
        document = self._access.description(principal, path)
        exchange.reply.whole(200, JSON, json.dumps(document, indent=2).encode() + b"\n")

    def _report_health(self, exchange: UrlExchange) -> None:
        exchange.reply.whole(200, JSON, b'{"status":"ok"}')

    def _answer_message_or_describe(self, exchange: UrlExchange) -> None:
        message = exchange.request.query.get("message")
        if message is None:
            document = {"service": "sluice", "version": VERSION, "paths": self._routes.described}
            exchange.reply.whole(200, JSON, json.dumps(document, indent=2).encode() + b"\n")
            return
        if exchange.request.method == "HEAD":
            raise not_allowed("HEAD", ("GET",))  # it would pay for an answer that nobody reads
        exchange = self._authenticated(exchange, self._targets[0])
        if not message:
            raise InvalidField("message must not be empty.", param="message")
        self._answer_template(plain_request(message), exchange)

    def _answer_template_or_native(self, exchange: UrlExchange) -> None:
        exchange = self._authenticated(exchange, self._targets[0])
        _check_size(exchange.request.body)
        parsed = _parsed(exchange.request, parse_request)
        if isinstance(parsed, TemplateRequest):
            self._answer_template(parsed, exchange)
        else:
            self._relay(self._answers.native_call(parsed), exchange)

    def _answer_template(self, template: TemplateRequest, exchange: UrlExchange) -> None:
        if template.response_type is ResponseType.STREAM:
            self._relay(template, exchange)
            return
        with self._ask(template, exchange) as answer:
            from sluice.text import utf8  # noqa: PLC0415 -- most answers are streamed

            # A streamed body is never empty, and an empty answer is still an answer.
            text = utf8(answer.text(template.response_type)) or b"\n"
            # Within the block: after it, the answer has been kept, which takes up to seconds.
            exchange.reply.whole(200, {**TEXT, **answer.own_headers}, text)

    def _pass_through(self, route: Route, exchange: UrlExchange) -> None:
        """Pass on any request of the provider's API: only the key is replaced."""
        request, target = exchange.request, route.target
        _check_size(request.body)
        is_completion = request.method == "POST" and route.path in COMPLETIONS
        query = without_values(request.raw_query, self._forward_keys.known_keys())
        if route.is_azures:
            query = without_parameter(query, API_VERSION)
        if is_completion and target is self._targets[0]:
            native = NativeRequest(request.body, _parsed(request, parse_object))
            call = self._answers.native_call(native, route.deployment)
            headers = {**request.headers, **call.headers}
            call = call._replace(path=route.path, query=query, headers=headers)
        else:
            model = model_of_path(route.path) or model_of(request.headers, request.body)
            call = ModelCall(
                request.method, route.path, query, request.headers, request.body, model
            )
            if route.deployment not in (None, model):
                changed = call.by_model(route.deployment)
                # The model of a form stays: it is what other providers than Azure will read.
                if changed is not call or target.provider.has_deployments:
                    call = changed._replace(model=route.deployment)
        own_answer = target.provider.own_answer(call)
        if own_answer is not None:
            self._check_record(exchange)
            exchange.reply.whole(200, JSON, own_answer)
        else:
            self._relay(call, exchange, target, may_be_empty=not is_completion)

    def _relay(
        self,
        request: TemplateRequest | ModelCall,
        exchange: UrlExchange,
        target: Target | None = None,
        *,
        may_be_empty: bool = False,
    ) -> None:
        with self._ask(request, exchange, target) as answer:
            exchange.reply.relay(answer, may_be_empty=may_be_empty)

    def _ask(
        self,
        request: TemplateRequest | ModelCall,
        exchange: UrlExchange,
        target: Target | None = None,
    ) -> AbstractContextManager[ModelAnswer]:
        return self._answers.ask(
            request,
            exchange.log,
            exchange.deadline,
            target=target,
            principal=exchange.principal,
            headers=exchange.request.headers,
        )


def _check_size(body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge(
            f"The body has {len(body)} bytes; Lambda's limit is {MAX_BODY_BYTES} bytes."
        )


def _parsed(request: UrlRequest, parse: Callable[[bytes], ParsedT]) -> ParsedT:
    """The body as JSON, whatever the content type says: curl -d calls it a form."""
    try:
        return parse(request.body)
    except InvalidJson as error:
        content_type = request.headers.get("content-type", "application/json")
        if "json" in content_type or content_type == FORM:
            raise
        raise UnsupportedMediaType("Expected application/json.") from error
