"""The Function URL: who may ask for what, and the answer, streamed."""

from __future__ import annotations

import json
import re
from functools import partial

from sluice import VERSION
from sluice.authentication import check_key, key_name, key_of_headers
from sluice.completions.request import (
    NativeRequest,
    ResponseType,
    TemplateRequest,
    native_body,
    parse_object,
    parse_request,
    plain_request,
    upstream_body,
)
from sluice.errors import (
    BodyTooLarge,
    InvalidField,
    InvalidJson,
    MethodNotAllowed,
    SettingsError,
    SluiceError,
    UnknownPath,
    UnsupportedMediaType,
)
from sluice.http.urls import without_values
from sluice.named_tuple import NamedTuple
from sluice.request_log import RequestLog
from sluice.secret_mask import mask_of
from sluice.upstream.call import ModelCall, chat_call, model_of
from sluice.upstream.targets import find_target
from sluice.url import cross_origin
from sluice.url.reply import UrlReply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from sluice.deadline import Deadline
    from sluice.key_ring import KeyRing
    from sluice.settings import Settings
    from sluice.upstream.answer import UpstreamAnswer
    from sluice.upstream.client import OpenAIClient
    from sluice.upstream.targets import Target
    from sluice.url.events import UrlRequest
    from sluice.url.reply import Body

    ParsedT = TypeVar("ParsedT")

MAX_BODY_BYTES = 6 * 1024 * 1024
"""Of a request: what Lambda takes. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
FORM = "application/x-www-form-urlencoded"  # what curl -d says of JSON
JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain; charset=utf-8"}
OWN_PATHS = {
    "GET /": "describes this service",
    "GET /?message=TEXT": "streams the answer to a message",
    "POST /": "answers a template request or the provider's own JSON",
    "GET /healthz": "answers 200 without asking the model",
}
PASSED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Not TRACE, which has a server repeat the request, the provider's key in it; CONNECT is no request
for a path."""
COMPLETIONS = ("/chat/completions", "/completions", "/responses")  # these take the default model
WORD = re.compile(r"[a-z][a-z_-]{0,30}")  # of an API's paths; ids and file names have other signs


class Exchange(NamedTuple):
    """One request and all that its answer needs."""

    request: UrlRequest
    reply: UrlReply
    deadline: Deadline
    log: RequestLog


class UrlGateway:
    """Answers the requests of one Function URL. Make one for the life of the process.

    targets: whom to ask, the default one first.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        client: OpenAIClient,
        targets: tuple[Target, ...],
        forward_keys: KeyRing,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._client = client
        self._targets = targets
        self._forward_keys = forward_keys
        self._routes = {
            ("GET", "/"): self._ask_or_describe,
            ("POST", "/"): self._template_or_native,
            ("GET", "/healthz"): self._health,
        }
        self._own_paths = {path for _, path in self._routes}
        self._paths = {
            **OWN_PATHS,
            **{
                f"{target.route_prefix}/*": f"the provider's own API ({target.provider.name})"
                for target in targets
            },
        }

    def answer(
        self,
        request: UrlRequest,
        open_body: Callable[[dict[str, Any]], Body],
        deadline: Deadline,
    ) -> None:
        """Send the reply. Errors become replies too; see UrlReply.fail for those it cannot hold."""
        allowed = self._settings.cors_allow_origins
        allowing = cross_origin.cors_headers(request.headers, allowed)
        with RequestLog(request.request_id, "url") as log:
            log.note(method=request.method, path=self._logged_path(request.path))
            reply = UrlReply(open_body, self._known_keys, log, allowing)
            try:
                self._answer(Exchange(request, reply, deadline, log))
            except SluiceError as error:
                reply.fail(error)
            finally:
                log.note(bytes=reply.bytes_sent, chunks=reply.chunks_sent)

    def _answer(self, exchange: Exchange) -> None:
        request = exchange.request
        if cross_origin.is_preflight(request.method, request.headers):
            allowed = self._settings.cors_allow_origins
            headers = cross_origin.preflight_headers(request.headers, allowed)
            exchange.reply.whole(200, headers, b"\n")
            return
        route = self._routes.get((request.method, request.path))
        if route is not None:
            route(exchange)
            return
        target, below = self._target_of(request)
        self._authenticate(exchange)
        self._pass_through(target, below, exchange)

    def _target_of(self, request: UrlRequest) -> tuple[Target, str]:
        if request.method not in PASSED_METHODS:
            allowed = ", ".join(PASSED_METHODS)
            raise MethodNotAllowed(f"Expected one of {allowed}.", PASSED_METHODS)
        if request.path in self._own_paths:
            methods = tuple(method for method, path in self._routes if path == request.path)
            allowed = ", ".join(methods)
            raise MethodNotAllowed(f"This path takes {allowed}, not {request.method}.", methods)
        found = find_target(self._targets, request.path)
        if found is None:
            paths = ", ".join(self._paths)
            raise UnknownPath(
                f"There is nothing at this path. There is: {paths}. The base URL of an OpenAI "
                f"client ends in {self._targets[0].route_prefix}."
            )
        return found

    def _authenticate(self, exchange: Exchange) -> None:
        """With aws_iam Lambda lets only signed requests in; without it a key is the lock.

        While a deployment goes from one to the other, functions have their settings before the URL
        has its lock.
        """
        principal: str | None = exchange.request.user_arn
        if self._settings.function_url_auth == "none":
            presented = key_of_headers(exchange.request.headers)
            check_key(presented, self._forward_keys.keys())
            principal = presented and key_name(presented)
        elif exchange.request.is_anonymous:
            rule = "is aws_iam, but the Function URL takes unsigned requests"
            raise SettingsError("FUNCTION_URL_AUTH", rule, hint="Deploy again.")
        exchange.log.note(principal=principal)

    def _health(self, exchange: Exchange) -> None:
        exchange.reply.whole(200, JSON, b'{"status":"ok"}')

    def _ask_or_describe(self, exchange: Exchange) -> None:
        message = exchange.request.query.get("message")
        if message is None:
            document = {"service": "sluice", "version": VERSION, "paths": self._paths}
            exchange.reply.whole(200, JSON, json.dumps(document, indent=2).encode() + b"\n")
            return
        self._authenticate(exchange)
        if not message:
            raise InvalidField("message: expected text.", param="message")
        self._answer_template(plain_request(message), exchange)

    def _template_or_native(self, exchange: Exchange) -> None:
        self._authenticate(exchange)
        _check_size(exchange.request.body)
        parsed = _parsed(exchange.request, parse_request)
        if isinstance(parsed, TemplateRequest):
            self._answer_template(parsed, exchange)
        else:
            self._relay(self._targets[0], _chat_call(parsed, self._settings), exchange)

    def _pass_through(self, target: Target, below: str, exchange: Exchange) -> None:
        """Whatever the provider's API has, it has here: only its keys are ours."""
        request = exchange.request
        _check_size(request.body)
        is_completion = request.method == "POST" and below in COMPLETIONS
        query = without_values(request.raw_query, self._forward_keys.known_keys())
        if is_completion and target is self._targets[0]:
            native = NativeRequest(request.body, _parsed(request, parse_object))
            call = _chat_call(native, self._settings)
            headers = {**request.headers, **call.headers}
            call = call._replace(path=below, query=query, headers=headers)
        else:
            model = model_of(request.headers, request.body)
            call = ModelCall(request.method, below, query, request.headers, request.body, model)
        own_answer = target.provider.own_answer(call)
        if own_answer is not None:
            exchange.reply.whole(200, JSON, own_answer)
        else:
            self._relay(target, call, exchange, may_be_empty=not is_completion)

    def _relay(
        self, target: Target, call: ModelCall, exchange: Exchange, *, may_be_empty: bool = False
    ) -> None:
        ask = partial(self._client.ask, target, call, exchange.deadline, note=exchange.log.note)
        if self._settings.log_chat:
            self._relay_and_log(ask, exchange, may_be_empty=may_be_empty)
            return
        with ask() as answer:
            exchange.reply.relay(answer, may_be_empty=may_be_empty)

    def _relay_and_log(
        self, ask: Callable[[], UpstreamAnswer], exchange: Exchange, *, may_be_empty: bool
    ) -> None:
        from sluice.completions.conversation_log import Recording  # noqa: PLC0415 -- few log what is said

        recording = Recording()
        with ask() as answer:
            try:
                exchange.reply.relay(answer, may_be_empty=may_be_empty, listen=recording.add)
            finally:
                self._log_conversation(recording.text(answer.headers), exchange)

    def _answer_template(self, template: TemplateRequest, exchange: Exchange) -> None:
        self._client.keys_of(self._targets[0])  # known from here on: no prompt may hold one
        secrets = self._known_keys()
        call = chat_call(upstream_body(template, self._settings, self._environ, secrets))
        if template.response_type is ResponseType.STREAM:
            self._relay(self._targets[0], call, exchange)
            return
        from sluice.completions.answer import answer_text  # noqa: PLC0415 -- a parser that few need

        with self._client.ask(
            self._targets[0], call, exchange.deadline, note=exchange.log.note
        ) as answer:
            quotes = self._settings.ascii_quotes
            text = answer_text(template.response_type, answer, ascii_quotes=quotes)
        if self._settings.log_chat:
            self._log_conversation(text, exchange)
        text = mask_of(self._known_keys()).text(text)
        # A streamed body is never empty, and an empty answer is still an answer.
        exchange.reply.whole(200, TEXT, text.encode("utf-8", "replace") or b"\n")

    def _log_conversation(self, answer: str, exchange: Exchange) -> None:
        from sluice.completions.conversation_log import log_conversation, said_in  # noqa: PLC0415 -- see above

        said = exchange.request.query.get("message") or said_in(exchange.request.body)
        log_conversation(exchange.log, said, answer, self._known_keys())

    def _known_keys(self) -> tuple[str, ...]:
        return self._client.known_keys() + self._forward_keys.known_keys()

    def _logged_path(self, path: str) -> str:
        """The path without what a client may have put in it: ids, names of files, mistakes."""
        if path in self._own_paths:
            return path
        if find_target(self._targets, path) is None:
            return "(unknown)"
        segments = path.split("/")
        return "/".join(s if WORD.fullmatch(s) or s in ("", "v1") else "*" for s in segments)


def _chat_call(native: NativeRequest, settings: Settings) -> ModelCall:
    model, prompt = native.document.get("model"), native.document.get("prompt")
    if not model and isinstance(prompt, dict):
        return chat_call(native.body)  # one that is stored at the provider, and names a model
    return chat_call(native_body(native, settings), _as_name(model or settings.openai_model))


def _as_name(model: object) -> str | None:
    """A model's name, or None for what is none: then only its provider knows what to say."""
    return model if isinstance(model, str) and model.isprintable() else None


def _check_size(body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge(
            f"The body has {len(body)} bytes: expected at most {MAX_BODY_BYTES}, Lambda's limit."
        )


def _parsed(request: UrlRequest, parse: Callable[[bytes], ParsedT]) -> ParsedT:
    """JSON, whatever the content type says: curl -d calls it a form."""
    try:
        return parse(request.body)
    except InvalidJson as error:
        content_type = request.headers.get("content-type", "application/json")
        if "json" in content_type or content_type == FORM:
            raise
        raise UnsupportedMediaType("Expected application/json.") from error
