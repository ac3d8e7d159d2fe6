"""The Function URL's checks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from scripts.smoke.check import (
    ASKS_FOR_A_VALUE,
    ASKS_FOR_A_WHILE,
    VALUE,
    Check,
    CheckFailedError,
    Stopwatch,
    asked,
    expect,
    expect_pieces,
    expect_text,
)
from scripts.smoke.settings import Target
from scripts.smoke.signing import (
    UNKNOWN_KEY,
    BearerKey,
    FunctionUrlSignature,
    with_wrong_secret,
)

CONNECT_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 60.0  # a cold start and a slow model are over by then
COMPLETIONS = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, in the pieces that it came in."""

    status: int
    content_type: str
    pieces: list[bytes]

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object; raises CheckFailedError for another."""
        try:
            document = json.loads(b"".join(self.pieces))
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise CheckFailedError("body", "a JSON object", "another text")
        return document

    @property
    def error_code(self) -> object:
        error = self.document.get("error")
        return error.get("code") if isinstance(error, dict) else None


@dataclass(frozen=True, slots=True)
class UrlRequest:
    """A request to the Function URL; `body` is sent as JSON."""

    path: str
    body: str | None = None

    def send(self, target: Target, watch: Stopwatch, auth: AuthBase | None = None) -> Reply:
        """Send it with what opens the URL, or with `auth`, and read the answer to its end."""
        with requests.request(
            "GET" if self.body is None else "POST",
            target.addresses.http_url + self.path,
            data=self.body.encode() if self.body is not None else None,
            headers={"Content-Type": "application/json"} if self.body is not None else {},
            auth=auth or right_auth(target),
            timeout=(CONNECT_TIMEOUT_S, SILENCE_TIMEOUT_S),
            allow_redirects=False,
            stream=True,
        ) as reply:
            pieces = []
            for piece in reply.iter_content(chunk_size=None):
                watch.first_byte()
                pieces.append(piece)
            content_type = reply.headers.get("Content-Type", "").partition(";")[0]
            return Reply(reply.status_code, content_type, pieces)


def right_auth(target: Target) -> AuthBase:
    if target.url_is_signed:
        return FunctionUrlSignature(target.credentials, target.region)
    return BearerKey(target.forward_key)


def wrong_auth(target: Target) -> AuthBase:
    if target.url_is_signed:
        return FunctionUrlSignature(with_wrong_secret(target.credentials), target.region)
    return BearerKey(UNKNOWN_KEY)


def posted(path: str, **document: object) -> UrlRequest:
    return UrlRequest(path, json.dumps(document))


MESSAGE = UrlRequest(f"/?message={quote(ASKS_FOR_A_WHILE)}")


def describes_itself(target: Target, watch: Stopwatch) -> None:
    reply = UrlRequest("/").send(target, watch)
    expect("status", reply.status, 200)
    if not reply.document:
        raise CheckFailedError("description", "some fields", "none")


def is_healthy(target: Target, watch: Stopwatch) -> None:
    expect("status", UrlRequest("/healthz").send(target, watch).status, 200)


def streams(request: UrlRequest, target: Target, watch: Stopwatch) -> None:
    reply = request.send(target, watch)
    expect("status", reply.status, 200)
    expect("content type", reply.content_type, "text/event-stream")
    expect_text("joined deltas", text_of_events(b"".join(reply.pieces)))
    expect_pieces(len(reply.pieces))


def text_of_events(body: bytes) -> str:
    """The deltas of an event stream, joined; raises CheckFailedError unless it is whole."""
    lines = [line for line in body.decode().splitlines() if line.startswith("data:")]
    data = [line.removeprefix("data:").strip() for line in lines]
    if data[-1:] != ["[DONE]"]:
        raise CheckFailedError("last event", "[DONE]", "another, or none")
    events = [json.loads(each) for each in data[:-1]]
    expect("error events", sum("error" in event for event in events), 0)
    choices = [choice for event in events for choice in event.get("choices", [])]
    return "".join(choice.get("delta", {}).get("content") or "" for choice in choices)


def answers_as_text(request: UrlRequest, target: Target, watch: Stopwatch) -> str:
    reply = request.send(target, watch)
    expect("status", reply.status, 200)
    expect("content type", reply.content_type, "text/plain")
    text = b"".join(reply.pieces).decode()
    expect_text("answer", text)
    return text


def answers_in_full(target: Target, watch: Stopwatch) -> None:
    request = posted("/", messages=asked(ASKS_FOR_A_WHILE), response_type="full")
    answers_as_text(request, target, watch)


def finds_a_value(target: Target, watch: Stopwatch) -> None:
    request = posted("/", messages=asked(ASKS_FOR_A_VALUE), response_type="int")
    if answers_as_text(request, target, watch) != VALUE:
        raise CheckFailedError("value", VALUE, "another")


def lists_models(target: Target, watch: Stopwatch) -> None:
    reply = UrlRequest("/v1/models").send(target, watch)
    expect("status", reply.status, 200)
    expect("object", reply.document.get("object"), "list")


def completes(target: Target, watch: Stopwatch) -> None:
    reply = posted(COMPLETIONS, messages=asked(ASKS_FOR_A_WHILE)).send(target, watch)
    expect("status", reply.status, 200)
    expect_text("message", reply.document["choices"][0]["message"]["content"])


def refuses(request: UrlRequest, status: int, code: str, target: Target, watch: Stopwatch) -> None:
    reply = request.send(target, watch)
    expect("status", reply.status, status)
    expect("error code", reply.error_code, code)


def keeps_out(auth: Callable[[Target], AuthBase], target: Target, watch: Stopwatch) -> None:
    """Lambda itself answers 403 to a signature that is none, the service 401 to a key."""
    reply = MESSAGE.send(target, watch, auth(target))
    expect("status", reply.status, 403 if target.url_is_signed else 401)


def url_checks(target: Target) -> list[Check]:
    """Everything that is checked of the Function URL."""
    proof, wrong = ("signature", "wrong") if target.url_is_signed else ("key", "unknown")
    bad_json = partial(refuses, UrlRequest("/", "{"), 400, "invalid_json")
    unknown_path = partial(refuses, UrlRequest("/no/such/path"), 404, "unknown_path")
    streamed = posted(COMPLETIONS, messages=asked(ASKS_FOR_A_WHILE), stream=True)
    return [
        Check("GET / describes the service", describes_itself),
        Check("GET /healthz is 200", is_healthy),
        Check("GET /?message= is streamed", partial(streams, MESSAGE)),
        Check("POST / in full is text", answers_in_full),
        Check("POST / finds a value", finds_a_value),
        Check("GET /v1/models is a list", lists_models),
        Check(f"POST {COMPLETIONS}", completes),
        Check(f"POST {COMPLETIONS}, streamed", partial(streams, streamed)),
        Check(f"no {proof} is refused", partial(keeps_out, lambda _: BearerKey(""))),
        Check(f"{wrong} {proof} is refused", partial(keeps_out, wrong_auth)),
        Check("bad JSON is 400", bad_json),
        Check("unknown path is 404", unknown_path),
    ]
