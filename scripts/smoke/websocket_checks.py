"""The checks of the WebSocket API."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from scripts.access.signing import UNKNOWN_KEY, presigned_websocket_url, with_wrong_secret
from scripts.smoke.check import (
    ASKS_FOR_A_WHILE,
    ASKS_FOR_MINUTES,
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

OPEN_TIMEOUT_S = 20.0  # with a cold start of $connect
SILENCE_TIMEOUT_S = 60.0  # longer than a cold start and the pauses of a slow model
END = "<END>"
CHAT_ID = "smoke"
PING = {"action": "ping"}


def opened(target: Target, *, with_key: bool = True) -> ClientConnection:
    """Connect with the right credentials, or with none."""
    url, headers = target.addresses.websocket_url, {}
    if with_key and target.websocket_auth == "aws_iam":
        url = presigned_websocket_url(url, target.credentials, target.region)
    elif with_key and target.websocket_auth == "forward_key":
        headers = {"Authorization": f"Bearer {target.forward_key}"}
    return connect(url, additional_headers=headers, open_timeout=OPEN_TIMEOUT_S)


def receive(client: ClientConnection, watch: Stopwatch) -> str:
    """Return the next frame. Raises CheckFailedError for an error frame and for silence."""
    try:
        frame = str(client.recv(timeout=SILENCE_TIMEOUT_S))
    except TimeoutError as error:
        silence = f"none for {SILENCE_TIMEOUT_S:.0f} seconds"
        raise CheckFailedError("frame", "one", silence) from error
    watch.first_byte()
    if (code := error_code(frame)) is not None:
        raise CheckFailedError("frame", "part of an answer", f"the error {code}")
    return frame


def error_code(frame: str) -> str | None:
    document = parsed(frame)
    error = document.get("error")
    return str(error.get("code")) if isinstance(error, dict) else None


def parsed(frame: str) -> dict[str, Any]:
    """Return the frame as a JSON object, or an empty one for a text."""
    try:
        document = json.loads(frame)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def chat(prompt: str) -> str:
    return json.dumps({"action": "chat", "id": CHAT_ID, "request": not_cached(prompt)})


def not_cached(prompt: str) -> dict[str, Any]:
    """A request that the cache does not answer: a kept answer comes in one piece."""
    return {"messages": messages_of(prompt), "caching": False}


def new_prompt() -> str:
    """A prompt that the cache does not know: a plain one cannot say `caching`."""
    return f"{ASKS_FOR_A_WHILE} (check {uuid.uuid4()})"


def answers_a_prompt(target: Target, watch: Stopwatch) -> None:
    with opened(target) as client:
        client.send(json.dumps({"action": "sendmessage", "data": new_prompt()}))
        # No mark ends such an answer. Two frames show that it streams.
        expect_text("frames", receive(client, watch) + receive(client, watch))


def answers_a_template(target: Target, watch: Stopwatch) -> None:
    with opened(target) as client:
        client.send(json.dumps(not_cached(ASKS_FOR_A_WHILE)))
        frames = [receive(client, watch)]
        while frames[-1] != END:
            frames.append(receive(client, watch))
    expect_text("joined frames", "".join(frames[:-1]))
    expect_pieces(len(frames) - 1)


def chats(target: Target, watch: Stopwatch) -> None:
    with opened(target) as client:
        client.send(chat(ASKS_FOR_A_WHILE))
        frames = chat_frames(client, watch)
    expect("cancelled", frames[-1].get("cancelled", False), expected=False)
    events = [event for frame in frames for event in frame["events"]]
    expect_text("joined deltas", joined_deltas(events))
    expect_pieces(len(frames))


def chat_frames(client: ClientConnection, watch: Stopwatch) -> list[dict[str, Any]]:
    """Return the frames of a chat to its last. Raises CheckFailedError for a gap."""
    frames = [parsed(receive(client, watch))]
    while not frames[-1].get("done"):
        frames.append(parsed(receive(client, watch)))
    numbers = [frame.get("seq") for frame in frames]
    expect("numbers of the frames", numbers, list(range(len(frames))))
    expect("ids", {frame.get("id") for frame in frames}, {CHAT_ID})
    return frames


def cancels(target: Target, watch: Stopwatch) -> None:
    with opened(target) as client:
        client.send(chat(ASKS_FOR_MINUTES))
        receive(client, watch)
        client.send(json.dumps({"action": "cancel", "id": CHAT_ID}))
        while not (frame := parsed(receive(client, watch))).get("done"):
            pass
    expect("cancelled", frame.get("cancelled", False), expected=True)


def pings(target: Target, watch: Stopwatch) -> None:
    with opened(target) as client:
        expect_pong(client, watch)


def expect_pong(client: ClientConnection, watch: Stopwatch) -> None:
    client.send(json.dumps(PING))
    expect("type", parsed(receive(client, watch)).get("type"), "pong")


def reports_an_error_and_stays_open(target: Target, watch: Stopwatch) -> None:
    with opened(target) as client:
        client.send("no json")
        frame = str(client.recv(timeout=SILENCE_TIMEOUT_S))
        watch.first_byte()
        expect("error code", error_code(frame), "invalid_json")
        expect_pong(client, watch)


def without_proof(target: Target) -> ClientConnection:
    return opened(target, with_key=False)


def with_wrong_proof(target: Target) -> ClientConnection:
    if target.websocket_auth == "aws_iam":
        return opened(replace(target, credentials=with_wrong_secret(target.credentials)))
    return opened(replace(target, forward_key=UNKNOWN_KEY))


def keeps_out(
    attempt: Callable[[Target], ClientConnection], target: Target, watch: Stopwatch
) -> None:
    """API Gateway itself answers 403 to an invalid signature, the service 401 to an unknown key."""
    status = 101
    try:
        with attempt(target):
            pass
    except InvalidStatus as refused:
        status = refused.response.status_code
    watch.first_byte()
    expect("status", status, 403 if target.websocket_auth == "aws_iam" else 401)


def websocket_checks(target: Target) -> list[Check]:
    checks = [
        Check("WebSocket: plain prompt", answers_a_prompt),
        Check("WebSocket: template stream to <END>", answers_a_template),
        Check("WebSocket: chat", chats),
        Check("WebSocket: chat is cancelled", cancels),
        Check("WebSocket: ping", pings),
        Check("WebSocket: error frame", reports_an_error_and_stays_open),
    ]
    if target.websocket_auth == "none":
        return checks
    is_signed = target.websocket_auth == "aws_iam"
    proof, wrong = ("signature", "wrong") if is_signed else ("key", "unknown")
    return [
        *checks,
        Check(f"WebSocket: no {proof} is refused", partial(keeps_out, without_proof)),
        Check(f"WebSocket: {wrong} {proof} is refused", partial(keeps_out, with_wrong_proof)),
    ]
