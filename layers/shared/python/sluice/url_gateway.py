"""The Function URL: who may ask for what, and the answer, streamed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from sluice import VERSION
from sluice.authentication import check_key, key_of_headers
from sluice.completion_events import completion_events
from sluice.errors import (
    InvalidField,
    InvalidJson,
    MethodNotAllowed,
    SluiceError,
    UnknownPath,
    UnsupportedMediaType,
)
from sluice.model_request import (
    NativeRequest,
    ResponseType,
    native_body,
    parse_object,
    parse_request,
    plain_request,
    upstream_body,
)
from sluice.request_log import RequestLog
from sluice.response_parsers import first_value, text_deltas, whole_text, with_ascii_quotes
from sluice.upstream_reply import is_event_stream
from sluice.url_reply import UrlReply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.deadline import Deadline
    from sluice.key_ring import KeyRing
    from sluice.model_request import TemplateRequest
    from sluice.openai_client import OpenAIClient
    from sluice.settings import Settings
    from sluice.url_events import UrlRequest
    from sluice.url_reply import Body

    ParsedT = TypeVar("ParsedT")

FORM = "application/x-www-form-urlencoded"  # what curl -d says of JSON
JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain; charset=utf-8"}
PATHS = {
    "GET /": "describes this service",
    "GET /?message=TEXT": "streams the answer to a message",
    "POST /": "answers a template request or the provider's own JSON",
    "POST /v1/chat/completions": "OpenAI's chat completions",
    "GET /healthz": "answers 200 without asking the model",
}


class UrlGateway:
    """Answers the requests of one Function URL. Make one for the life of the process."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        client: OpenAIClient,
        openai_keys: KeyRing,
        forward_keys: KeyRing,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._client = client
        self._openai_keys = openai_keys
        self._forward_keys = forward_keys
        self._routes = {
            ("GET", "/"): self._ask_or_describe,
            ("POST", "/"): self._template_or_native,
            ("POST", "/v1/chat/completions"): self._chat_completion,
            ("GET", "/healthz"): self._health,
        }

        self._paths = {path for _, path in self._routes}

    def answer(
        self,
        request: UrlRequest,
        open_body: Callable[[dict[str, Any]], Body],
        deadline: Deadline,
    ) -> None:
        """Send the reply. Errors become replies too; see UrlReply.fail for those it cannot hold."""
        with RequestLog(request.request_id, "url") as log:
            # A path that is none of ours is the client's own words.
            path = request.path if request.path in self._paths else "(unknown)"
            log.note(method=request.method, path=path)
            reply = UrlReply(open_body, self._known_keys, log)
            try:
                self._route(request)(request, reply, deadline)
            except SluiceError as error:
                reply.fail(error)

    def _known_keys(self) -> tuple[str, ...]:
        return self._openai_keys.known_keys() + self._forward_keys.known_keys()

    def _route(self, request: UrlRequest) -> Callable[[UrlRequest, UrlReply, Deadline], None]:
        route = self._routes.get((request.method, request.path))
        if route is not None:
            return route
        methods = tuple(method for method, path in self._routes if path == request.path)
        if methods:
            allowed = ", ".join(methods)
            raise MethodNotAllowed(f"This path takes {allowed}, not {request.method}.", methods)
        raise UnknownPath(f"There is nothing at this path. There is: {', '.join(PATHS)}.")

    def _health(self, _request: UrlRequest, reply: UrlReply, _deadline: Deadline) -> None:
        reply.whole(200, JSON, b'{"status":"ok"}')

    def _ask_or_describe(self, request: UrlRequest, reply: UrlReply, deadline: Deadline) -> None:
        message = request.query.get("message")
        if message is None:
            document = {"service": "sluice", "version": VERSION, "paths": PATHS}
            reply.whole(200, JSON, json.dumps(document, indent=2).encode() + b"\n")
            return
        self._authenticate(request)
        if not message:
            raise InvalidField("message: expected text.", param="message")
        self._answer_template(plain_request(message), reply, deadline)

    def _template_or_native(self, request: UrlRequest, reply: UrlReply, deadline: Deadline) -> None:
        self._authenticate(request)
        parsed = _parsed(request, parse_request)
        if isinstance(parsed, NativeRequest):
            self._answer_native(parsed, reply, deadline)
        else:
            self._answer_template(parsed, reply, deadline)

    def _chat_completion(self, request: UrlRequest, reply: UrlReply, deadline: Deadline) -> None:
        self._authenticate(request)
        document = _parsed(request, parse_object)
        self._answer_native(NativeRequest(request.body, document), reply, deadline)

    def _authenticate(self, request: UrlRequest) -> None:
        """With aws_iam Lambda has let only signed requests in; without it a key is the lock."""
        if self._settings.function_url_auth == "none":
            check_key(key_of_headers(request.headers), self._forward_keys.keys())

    def _answer_native(self, native: NativeRequest, reply: UrlReply, deadline: Deadline) -> None:
        with self._client.chat(native_body(native, self._settings), deadline) as answer:
            reply.relay(answer.status, _reply_headers(answer.headers), answer.chunks())

    def _answer_template(
        self, template: TemplateRequest, reply: UrlReply, deadline: Deadline
    ) -> None:
        secrets = self._openai_keys.keys() + self._forward_keys.known_keys()
        body = upstream_body(template, self._settings, self._environ, secrets)
        with self._client.chat(body, deadline) as answer:
            if template.response_type is ResponseType.STREAM:
                reply.relay(answer.status, _reply_headers(answer.headers), answer.chunks())
                return
            deltas = text_deltas(completion_events(answer.headers, answer.chunks()))
            if self._settings.ascii_quotes:
                deltas = with_ascii_quotes(deltas)
            if template.response_type is ResponseType.FULL:
                text = whole_text(deltas)
                answer.finish()
            else:
                text = first_value(template.response_type, deltas)
        # A streamed body is never empty, and an empty answer is still an answer.
        reply.whole(200, TEXT, text.encode("utf-8", "replace") or b"\n")


def _parsed(request: UrlRequest, parse: Callable[[bytes], ParsedT]) -> ParsedT:
    """JSON, whatever the content type says: curl -d calls it a form."""
    try:
        return parse(request.body)
    except InvalidJson as error:
        content_type = request.headers.get("content-type", "application/json")
        if "json" in content_type or content_type == FORM:
            raise
        raise UnsupportedMediaType("Expected application/json.") from error


def _reply_headers(upstream: dict[str, str]) -> dict[str, str]:
    """A proxy must neither keep an event stream nor hold it back."""
    return {**upstream, "cache-control": "no-cache"} if is_event_stream(upstream) else upstream
