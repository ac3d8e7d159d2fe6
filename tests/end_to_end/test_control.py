"""Cancels and pings while every place of `default` holds an answer."""

from __future__ import annotations

from tests.end_to_end.test_websocket import (
    CANCEL,
    PING,
    PONG,
    chat,
    receive_document,
    receive_until_done,
    send,
)
from tests.patient_client import connect
from tests.running_stack import PATIENCE_S, ROOT, stack
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    ScriptedUpstream,
    chunk,
    delta,
    holds_after,
    says,
)


def test_cancel_and_ping_need_no_place_of_the_answers(upstream: ScriptedUpstream) -> None:
    upstream.script = holds_after(EVENT_STREAM_HEAD, chunk(delta("one")))
    with stack(
        ROOT / "serverless.yml", "--concurrency", "1", OPENAI_BASE_URL=upstream.url
    ) as running:
        running.wait_ready()
        with connect(running.websocket_url) as client, connect(running.websocket_url) as other:
            send(client, chat())
            assert receive_document(client)["seq"] == 0
            for each in (client, other):
                send(each, PING)
                assert receive_document(each) == PONG
            send(other, CANCEL)  # of another connection: it cancels nothing
            send(other, chat())  # waits for its place
            upstream.script = says("next")
            send(client, CANCEL)
            last = receive_document(client)
            assert (last["seq"], last["cancelled"]) == (1, True)
            assert upstream.gone.wait(PATIENCE_S)
            assert receive_until_done(other)[-1]["done"]
