"""Each check against a service that does one thing wrong."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Thread
from typing import Any

from botocore.credentials import Credentials
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response
from websockets.sync.server import ServerConnection, serve

from scripts.access.addresses import Addresses
from scripts.access.place import user_settings
from scripts.access.shell import Shell
from scripts.smoke.__main__ import all_checks
from scripts.smoke.check import Result, row, run_check, summary
from scripts.smoke.settings import Target, parse
from scripts.smoke.websocket_checks import new_prompt
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    ScriptedUpstream,
    answer_stream,
    chunk,
    closed_port,
    delta,
    replies,
    says,
    sends,
    sse,
)

SECRET = "a-secret-of-nobody-0123456789"
DONE = sse("[DONE]")

Script = Callable[..., None]


def target(http_url: str = "http://unused", websocket_url: str = "ws://unused") -> Target:
    return Target(
        Addresses(http_url, websocket_url),
        region="us-east-1",
        url_auth="aws_iam",
        websocket_auth="forward_key",
        credentials=Credentials("access", SECRET),
        forward_key=SECRET,
    )


def failure_of(name: str, where: Target) -> str:
    """What the check of that name finds wrong."""
    (check,) = (check for check in all_checks(where) if check.name == name)
    ticks = itertools.count()
    return run_check(check, where, lambda: next(ticks)).failure


def in_pieces(*pieces: bytes) -> Script:
    """A script: an event stream whose chunks are these."""
    return lambda _request, connection: connection.sendall(
        EVENT_STREAM_HEAD + b"".join(map(chunk, pieces)) + LAST_CHUNK
    )


DESCRIBES, STREAM = "GET / describes the service", "GET /?message= is streamed"
TEMPLATE, CHAT = "WebSocket: template stream to <END>", "WebSocket: chat"
OTHER_SHAPE = "expected what is documented, found another shape"
NOTHING_SAID = "joined deltas: expected some text, found none"
HELD_BACK = "stream: expected several pieces, found 1: something holds it back"

NULLS: dict[str, Any] = {"choices": [{"delta": None}, {"index": 1}], "error": None}
"""An event of an answer with null, or without a delta, as Azure sends it."""

# A check, what the service does wrong, and what the check says of it.
URL_FAULTS: tuple[tuple[str, Script, str], ...] = (
    (DESCRIBES, sends(b"<html>", "text/html"), "body: expected a JSON object, found another text"),
    (DESCRIBES, replies(200, {}), "description: expected some fields, found none"),
    (STREAM, sends(answer_stream(["one", "two"]), "text/event-stream"), HELD_BACK),
    (
        STREAM,
        replies(200, {}),
        "content type: expected text/event-stream, found application/json",
    ),
    (
        STREAM,
        in_pieces(delta("one"), delta("two")),
        "last event: expected [DONE], found another, or none",
    ),
    (
        STREAM,
        in_pieces(delta("one"), sse({"error": {"code": "c"}}), DONE),
        "error events: expected 0, found 1",
    ),
    (
        STREAM,
        in_pieces(sse({"choices": []}), DONE),
        "joined deltas: expected some text, found none",
    ),
    (STREAM, in_pieces(sse({"choices": None}), sse(NULLS), DONE), NOTHING_SAID),
    (STREAM, in_pieces(sse("no json"), DONE), f"{OTHER_SHAPE} (JSONDecodeError)"),
    ("POST / finds a value", sends(b"41", "text/plain"), "value: expected 42, found another"),
    ("POST /v1/chat/completions", replies(200, {"choices": []}), f"{OTHER_SHAPE} (IndexError)"),
    ("no signature is refused", says("come in"), "status: expected 403, found 200"),
    ("wrong signature is refused", replies(401, {}), "status: expected 403, found 401"),
    (
        "bad JSON is 400",
        replies(400, {"error": {"code": "other"}}),
        "error code: expected invalid_json, found other",
    ),
    (
        "unknown path is 404",
        replies(404, {"detail": "not found"}),
        "error code: expected unknown_path, found None",
    ),
)


def forbidden(error_type: str) -> Script:
    message = {"Message": "Forbidden. For troubleshooting see: …"}
    return replies(403, message, **({"x_amzn_ErrorType": error_type} if error_type else {}))


def test_forbidden_url_names_the_missing_permission_or_the_signature(
    upstream: ScriptedUpstream,
) -> None:
    signed = target(upstream.url.removesuffix("/v1"))
    keyed = replace(signed, url_auth="none")
    both = "lambda:InvokeFunctionUrl and lambda:InvokeFunction"
    clock = "check the AWS credentials, --region and this machine's clock"
    for where, error_type, found in (
        (
            signed,
            "AccessDeniedException",
            f"the caller's policy lacks a permission; it needs {both}",
        ),
        (signed, "", f"the caller's policy lacks a permission; it needs {both}"),
        (
            keyed,
            "AccessDeniedException",
            f"the function's own policy must allow {both}; deploy again",
        ),
        (signed, "InvalidSignatureException", clock),
        (signed, "ExpiredTokenException:http://internal.example", clock),
    ):
        upstream.script = forbidden(error_type)
        failure = failure_of(DESCRIBES, where)
        assert failure.startswith("status: expected 200, found 403")
        assert failure.endswith(f": {found}")
    assert "found 403 ExpiredTokenException: check" in failure


def test_refused_websocket_names_the_missing_permission_or_the_signature() -> None:
    for auth, error_type, found in (
        ("aws_iam", "AccessDeniedException", "403: the caller's policy lacks a permission; it needs"
         " execute-api:Invoke on the $connect route"),
        ("aws_iam", "InvalidSignatureException", "403 InvalidSignatureException: check the AWS"
         " credentials, --region and this machine's clock"),
        ("forward_key", "", "403"),
    ):  # fmt: skip
        headers = Headers({"x-amzn-ErrorType": error_type, "Content-Length": "0"})
        refuse = partial(refuse_with, Response(403, "Forbidden", headers))
        with websocket_service(process_request=refuse) as url:
            where = replace(target(websocket_url=url), websocket_auth=auth)
            failure = failure_of("WebSocket: ping", where)
        assert failure == f"status: expected 101, found {found}"


def refuse_with(response: Response, _client: ServerConnection, _request: object) -> Response:
    return response


def test_wrong_answer_of_the_url_is_named(upstream: ScriptedUpstream) -> None:
    for name, upstream.script, failure in URL_FAULTS:
        assert failure_of(name, target(upstream.url.removesuffix("/v1"))) == failure


@contextmanager
def websocket_service(*frames: object, **options: Any) -> Iterator[str]:
    """A WebSocket API that answers every message by these frames; texts are sent as they are.

    options: of websockets' `serve`.
    """

    def answer(client: ServerConnection) -> None:
        try:
            for _message in client:
                for frame in frames:
                    client.send(frame if isinstance(frame, str) else json.dumps(frame))
        except ConnectionClosed:
            pass

    with serve(answer, "127.0.0.1", 0, **options) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def chat_frame(seq: int, text: str = "", **more: Any) -> dict[str, Any]:
    events = [{"choices": [{"delta": {"content": text}}]}] if text else []
    return {"id": "smoke", "seq": seq, "events": events, **more}


WEBSOCKET_FAULTS: tuple[tuple[str, list[object], str], ...] = (
    (TEMPLATE, ["all of it", "<END>"], HELD_BACK),
    (
        TEMPLATE,
        [{"error": {"code": "misconfigured"}}],
        "frame: expected part of an answer, found the error misconfigured",
    ),
    (
        CHAT,
        [chat_frame(0, "one"), chat_frame(2, "two"), chat_frame(3, done=True)],
        "numbers of the frames: expected [0, 1, 2], found [0, 2, 3]",
    ),
    (CHAT, [chat_frame(0), chat_frame(1, done=True)], NOTHING_SAID),
    (CHAT, [{**chat_frame(0, done=True), "events": [NULLS, {"choices": None}]}], NOTHING_SAID),
    (
        CHAT,
        [chat_frame(0, "one"), chat_frame(1, done=True, cancelled=True)],
        "cancelled: expected False, found True",
    ),
    (
        f"{CHAT} is cancelled",
        [chat_frame(0, "one"), chat_frame(1, done=True)],
        "cancelled: expected True, found False",
    ),
    ("WebSocket: ping", [{"type": "ping"}], "type: expected pong, found ping"),
    ("WebSocket: error frame", ["what?"], "error code: expected invalid_json, found None"),
    ("WebSocket: no key is refused", [], "status: expected 401, found 101"),
    ("WebSocket: unknown key is refused", [], "status: expected 401, found 101"),
)


def test_wrong_answer_of_the_websocket_is_named() -> None:
    for name, frames, failure in WEBSOCKET_FAULTS:
        with websocket_service(*frames) as url:
            assert failure_of(name, target(websocket_url=url)) == failure


def test_no_two_plain_prompts_share_a_kept_answer() -> None:
    assert new_prompt() != new_prompt()


def test_service_that_is_not_there_is_named_without_its_address() -> None:
    port = closed_port()
    nowhere = target(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")
    for check in all_checks(nowhere):
        failure = run_check(check, nowhere, lambda: 0.0).failure
        assert failure.startswith("expected an answer, found no working connection (")
        assert "127.0.0.1" not in failure


def test_no_text_shows_what_opens_the_service() -> None:
    assert SECRET not in repr(target())
    assert SECRET not in target().described()


def test_rows_show_times_and_what_is_wrong() -> None:
    passed = Result("a", "", 0.0124, 1.5)
    failed = Result("b", "status: expected 200, found 502", None, 0.003)
    assert row(passed).split() == ["a", "ok", "12", "ms", "1500", "ms"]
    first, second = row(failed).splitlines()
    assert first.split() == ["b", "FAILED", "-", "3", "ms"]
    assert second.strip() == "status: expected 200, found 502"
    assert summary([passed, failed]) == "2 checks, 1 failed"
    assert summary([passed, passed]) == "2 checks, none failed"


def test_shells_variable_goes_before_that_of_dotenv(tmp_path: Any) -> None:
    (tmp_path / ".env").write_text("FORWARD_KEY=of-the-file\nWEBSOCKET_AUTH=aws_iam\n")
    (tmp_path / ".env.prod").write_text("FORWARD_KEY=of-the-stage\n")
    bare = Shell([], {}, io.StringIO(), io.StringIO(), io.StringIO(), tmp_path)
    shell = bare._replace(environ={"FORWARD_KEY": "of-the-shell"})
    read = user_settings("dev", shell).merged()
    assert read == {"FORWARD_KEY": "of-the-shell", "WEBSOCKET_AUTH": "aws_iam"}
    assert user_settings("prod", bare).merged() == {"FORWARD_KEY": "of-the-stage"}


def test_options_that_npm_took_still_count() -> None:
    environ = {"npm_lifecycle_event": "smoke", "npm_config_stage": "prod"}
    assert parse([], environ).stack == "sluice-prod"
