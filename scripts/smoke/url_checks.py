"""The checks of the Function URL."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import AuthBase
from sseclient import SSEClient

from scripts.access.bearer_key import BearerKey
from scripts.access.forbidden import ERROR_TYPE, FORBIDDEN, URL_ACTIONS, why_forbidden
from scripts.access.signing import (
    UNKNOWN_KEY,
    FunctionUrlSignature,
    with_wrong_secret,
)
from scripts.smoke.check import (
    ASKS_FOR_A_VALUE,
    ASKS_FOR_A_WHILE,
    VALUE,
    Check,
    CheckFailedError,
    Stopwatch,
    expect,
    expect_pieces,
    expect_text,
    joined_deltas,
    messages_of,
)
from scripts.smoke.settings import Target

CONNECT_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 60.0  # longer than a cold start and the pauses of a slow model
JSON = "application/json"
API = "/v1/"
"""How paths of OpenAI's API begin, without the service's own prefix."""
COMPLETIONS = f"{API}chat/completions"
NOT_CACHED = {"Cache-Control": "no-cache, no-store"}
"""A kept answer comes in one piece, and says nothing of the provider."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, in the pieces in which it arrived."""

    content_type: str
    pieces: list[bytes]

    @property
    def text(self) -> str:
        return b"".join(self.pieces).decode()

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object; raises CheckFailedError for another."""
        try:
            document = json.loads(self.text)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise CheckFailedError("body", "a JSON object", "another text")
        return document


@dataclass(frozen=True, slots=True)
class UrlRequest:
    """A request to the Function URL; a GET unless it has a `body`."""

    path: str
    body: str | None = None

    def send(
        self, target: Target, watch: Stopwatch, status: int = 200, auth: AuthBase | None = None
    ) -> Reply:
        """Send it with the right credentials or with `auth`, and read the reply to its end.

        Raises CheckFailedError for another status.
        """
        with requests.request(
            "GET" if self.body is None else "POST",
            target.addresses.http_url + self.path.replace(API, f"{target.api_path}/", 1),
            data=self.body.encode() if self.body is not None else None,
            headers=NOT_CACHED | ({"Content-Type": JSON} if self.body is not None else {}),
            auth=auth or right_auth(target),
            timeout=(CONNECT_TIMEOUT_S, SILENCE_TIMEOUT_S),
            allow_redirects=False,
            stream=True,
        ) as reply:
            pieces = []
            for piece in reply.iter_content(chunk_size=None):
                watch.first_byte()
                pieces.append(piece)
            if reply.status_code != status:
                raise CheckFailedError("status", status, found_status(reply, target))
            return Reply(reply.headers.get("Content-Type", "").partition(";")[0], pieces)


def found_status(reply: requests.Response, target: Target) -> str:
    """The status, with the reason of a 403, which Lambda gives before it calls the function."""
    if reply.status_code != FORBIDDEN:
        return str(reply.status_code)
    kind = reply.headers.get(ERROR_TYPE)
    return why_forbidden(kind, is_signed=target.url_is_signed, actions=URL_ACTIONS)


def right_auth(target: Target) -> AuthBase:
    if target.url_is_signed:
        return FunctionUrlSignature(target.credentials, target.region)
    return BearerKey(target.forward_key)


def wrong_auth(target: Target) -> AuthBase:
    if target.url_is_signed:
        return FunctionUrlSignature(with_wrong_secret(target.credentials), target.region)
    return BearerKey(UNKNOWN_KEY)


def posted(path: str, prompt: str, **document: object) -> UrlRequest:
    return UrlRequest(path, json.dumps({"messages": messages_of(prompt), **document}))


MESSAGE = UrlRequest(f"/?message={quote(ASKS_FOR_A_WHILE)}")
COMPLETION = posted(COMPLETIONS, ASKS_FOR_A_WHILE)
STREAMED_COMPLETION = posted(COMPLETIONS, ASKS_FOR_A_WHILE, stream=True)
IN_FULL = posted("/", ASKS_FOR_A_WHILE, response_type="full")
AN_INTEGER = posted("/", ASKS_FOR_A_VALUE, response_type="int")


def describes_itself(target: Target, watch: Stopwatch) -> None:
    if not UrlRequest("/").send(target, watch).document:
        raise CheckFailedError("description", "some fields", "none")


def is_healthy(target: Target, watch: Stopwatch) -> None:
    UrlRequest("/healthz").send(target, watch)


def streams(request: UrlRequest, target: Target, watch: Stopwatch) -> None:
    reply = request.send(target, watch)
    expect("content type", reply.content_type, "text/event-stream")
    expect_text("joined deltas", text_of_events(reply.text))
    expect_pieces(len(reply.pieces))


def text_of_events(stream: str) -> str:
    """Return the joined deltas of an event stream. Raises CheckFailedError unless it is whole."""
    data = [event.data for event in SSEClient(iter((stream.encode(),))).events()]
    if data[-1:] != ["[DONE]"]:
        raise CheckFailedError("last event", "[DONE]", "another, or none")
    events = [json.loads(each) for each in data[:-1]]
    expect("error events", sum(bool(event.get("error")) for event in events), 0)
    return joined_deltas(events)


def answers_as_text(request: UrlRequest, value: str, target: Target, watch: Stopwatch) -> None:
    """Expect this value, or any text where it is empty."""
    reply = request.send(target, watch)
    expect("content type", reply.content_type, "text/plain")
    expect_text("answer", reply.text)
    if value and reply.text != value:
        raise CheckFailedError("value", value, "another")


def lists_models(target: Target, watch: Stopwatch) -> None:
    reply = UrlRequest("/v1/models").send(target, watch)
    expect("object", reply.document.get("object"), "list")


def completes(target: Target, watch: Stopwatch) -> None:
    reply = COMPLETION.send(target, watch)
    expect_text("message", reply.document["choices"][0]["message"]["content"])


def rejects(request: UrlRequest, status: int, code: str, target: Target, watch: Stopwatch) -> None:
    error = request.send(target, watch, status).document.get("error")
    expect("error code", error.get("code") if isinstance(error, dict) else None, code)


def keeps_out(auth: Callable[[Target], AuthBase], target: Target, watch: Stopwatch) -> None:
    """Lambda itself answers 403 to an invalid signature, the service 401 to an unknown key."""
    MESSAGE.send(target, watch, 403 if target.url_is_signed else 401, auth(target))


def url_checks(target: Target) -> list[Check]:
    proof, wrong = ("signature", "wrong") if target.url_is_signed else ("key", "unknown")
    bad_json = partial(rejects, UrlRequest("/", "{"), 400, "invalid_json")
    unknown_path = partial(rejects, UrlRequest("/no/such/path"), 404, "unknown_path")
    return [
        Check("GET / describes the service", describes_itself),
        Check("GET /healthz is 200", is_healthy),
        Check("GET /?message= is streamed", partial(streams, MESSAGE)),
        Check("POST / in full is text", partial(answers_as_text, IN_FULL, "")),
        Check("POST / finds a value", partial(answers_as_text, AN_INTEGER, VALUE)),
        Check("GET /v1/models is a list", lists_models),
        Check(f"POST {COMPLETIONS}", completes),
        Check(f"POST {COMPLETIONS}, streamed", partial(streams, STREAMED_COMPLETION)),
        Check(f"no {proof} is refused", partial(keeps_out, lambda _: BearerKey(""))),
        Check(f"{wrong} {proof} is refused", partial(keeps_out, wrong_auth)),
        Check("bad JSON is 400", bad_json),
        Check("unknown path is 404", unknown_path),
    ]
