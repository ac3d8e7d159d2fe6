"""The WebSocket API over real sockets, with the `websockets` client."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from botocore.credentials import Credentials
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from local.errors import FunctionFailure
from local.invocation import AnswerReceiver
from local.limits import BOUNDED_LOG_WINDOW_S
from tests.local.api_gateway.websocket_bench import (
    MAX_CONNECTIONS,
    OK,
    UPGRADE,
    Bench,
    closed_with,
    next_json,
    serving,
)
from tests.local.functions.processes import until
from tests.local.http.signing import presigned_url
from tests.local.runtime_api.scripted_invoker import Script, buffered, failing

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def test_connect_event_has_headers_query_and_stage() -> None:
    async with serving() as it:
        async with it.connect("/prod?key=1&key=2", additional_headers={"X-Mine": "yes"}):
            event = await it.event("$connect")
        assert event["headers"]["X-Mine"] == "yes"
        assert event["headers"]["Sec-WebSocket-Version"] == "13"
        assert event["multiValueQueryStringParameters"] == {"key": ["1", "2"]}
        context = event["requestContext"]
        assert (context["stage"], context["eventType"]) == ("prod", "CONNECT")
        assert context["domainName"] == f"127.0.0.1:{it.port}"
        assert context["connectionId"].endswith("=")


async def test_message_takes_the_route_its_body_names() -> None:
    async with serving() as it, it.connect() as socket:
        await socket.send('{"action": "sendmessage", "data": "hä"}')
        event = await it.event("sendmessage")
        assert event["body"] == '{"action": "sendmessage", "data": "hä"}'
        assert event["requestContext"]["routeKey"] == "sendmessage"
        assert event["requestContext"]["stage"] == "dev"
        await socket.send("no json")
        event = await it.event("$default")
        assert event["requestContext"]["routeKey"] == "$default"
        assert "headers" not in event


async def test_key_offered_as_a_subprotocol_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(on_connect=buffered({"statusCode": 401})) as it:
        with pytest.raises(InvalidStatus):
            await it.connect(subprotocols=[Subprotocol("bearer.hush"), Subprotocol("chat")])
        event = await it.event("$connect")
        assert event["headers"]["Sec-WebSocket-Protocol"] == "bearer.hush, chat"
        assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert "hush" not in caplog.text


async def test_messages_of_one_connection_run_at_the_same_time() -> None:
    both = asyncio.Barrier(2)

    async def script(_event: Any, receiver: AnswerReceiver) -> FunctionFailure | None:
        await both.wait()
        return await OK(_event, receiver)

    async with serving(on_default=script) as it, it.connect() as socket:
        await socket.send("1")
        await socket.send("2")
        bodies = [(await it.event("$default"))["body"] for _ in range(2)]
        assert bodies == ["1", "2"]
        async with asyncio.timeout(5):
            for invocation in it.invokers["$default"].invocations:
                assert await invocation.outcome is None


@pytest.mark.parametrize(
    ("script", "status"),
    [
        (buffered({"statusCode": 401}), 401),
        (buffered({"statusCode": 500, "body": "why"}), 500),
        (buffered({"statusCode": 302}), 302),
        (buffered({"statusCode": 101}), 502),
        (failing(), 502),
    ],
)
async def test_connection_that_the_function_rejects_never_opens(
    script: Script, status: int
) -> None:
    async with serving(on_connect=script) as it:
        with pytest.raises(InvalidStatus) as caught:
            await it.connect()
        assert caught.value.response.status_code == status
        rejected = await it.opened()
        assert (await it.call("POST", rejected, b"x")).status == 410
        assert it.invokers["$disconnect"].events.empty()


async def test_subprotocol_that_the_function_chose_is_agreed_on() -> None:
    chosen = buffered({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}})
    async with serving(on_connect=chosen) as it:
        offered = [Subprotocol("bearer.key"), Subprotocol("chat")]
        async with it.connect(subprotocols=offered) as socket:
            assert socket.subprotocol == "chat"


async def test_connections_at_the_same_time_are_kept_apart() -> None:
    async with serving() as it, it.connect() as one, it.connect() as two, it.connect() as three:
        sockets = {await it.opened(): socket for socket in (one, two, three)}
        for number, (connection_id, socket) in enumerate(sockets.items()):
            await socket.send(f"ask {number}")
            context = (await it.event("$default"))["requestContext"]
            assert context["connectionId"] == connection_id
        for number, connection_id in enumerate(sockets):
            await it.call("POST", connection_id, b"answer %d" % number)
        received = [await socket.recv() for socket in sockets.values()]
        assert received == ["answer 0", "answer 1", "answer 2"]


async def test_client_learns_of_a_failed_function_and_stays_connected() -> None:
    async with serving(on_default=failing()) as it, it.connect() as socket:
        connection_id = await it.opened()
        for _ in range(2):
            await socket.send("x")
            event = await it.event("$default")
            assert await next_json(socket) == {
                "message": "Internal server error",
                "connectionId": connection_id,
                "requestId": event["requestContext"]["requestId"],
            }


async def test_rejection_may_have_a_status_unknown_to_http() -> None:
    async with serving(on_connect=buffered({"statusCode": 499})) as it:
        with pytest.raises(InvalidStatus) as caught:
            await it.connect()
        assert caught.value.response.status_code == 499
        assert b'"message": "Rejected"' in caught.value.response.body


async def test_failure_after_the_disconnect_is_ignored() -> None:
    go_on = asyncio.Event()

    async def script(_event: Any, _receiver: AnswerReceiver) -> FunctionFailure:
        await go_on.wait()
        return FunctionFailure("E", "m")

    async with serving(on_default=script) as it:
        async with it.connect() as socket:
            await socket.send("x")
            await it.event("$default")
        await it.event("$disconnect")
        go_on.set()
        assert await it.invokers["$default"].invocations[0].outcome is not None


@pytest.mark.parametrize(
    ("code", "reason", "seen", "seen_reason"),
    [
        (1000, "bye", 1000, "bye"),
        (4001, "", 4001, ""),
        (1005, "", 1005, "Client-side close frame status not set"),
    ],
)
async def test_disconnect_event_holds_the_clients_close_code(
    code: int, reason: str, seen: int, seen_reason: str
) -> None:
    async with serving() as it:
        async with aiohttp.ClientSession() as session:
            socket = await session.ws_connect(f"http://127.0.0.1:{it.port}/")
            if code == 1005:
                await socket._writer.send_frame(b"", aiohttp.WSMsgType.CLOSE)  # noqa: SLF001
            else:
                await socket.close(code=code, message=reason.encode())
            event = await it.event("$disconnect")
            await socket.close()
        context = event["requestContext"]
        assert (context["disconnectStatusCode"], context["disconnectReason"]) == (seen, seen_reason)
        gone = await it.call("POST", context["connectionId"], b"x")
        assert gone.status == 410


async def test_broken_connection_disconnects_with_1006() -> None:
    async with serving() as it:
        socket = await it.connect()
        socket.transport.abort()
        context = (await it.event("$disconnect"))["requestContext"]
        assert context["disconnectStatusCode"] == 1006
        assert it.invokers["$disconnect"].events.empty()


def presigned(port: int, secret: str) -> str:
    """Return a presigned path."""
    url = f"http://127.0.0.1:{port}/dev"
    keys = Credentials("local", secret)
    return presigned_url(url, service="execute-api", keys=keys).removeprefix(url[: -len("/dev")])


async def test_connect_may_require_a_signature() -> None:
    async with serving("aws_iam") as it:
        async with it.connect(presigned(it.port, "local")):
            assert await it.opened()
        for path in (presigned(it.port, "wrong"), "/"):
            with pytest.raises(InvalidStatus) as caught:
                await it.connect(path)
            assert caught.value.response.status_code == 403


REFUSED = (
    ({"Origin": "https://elsewhere.example"}, "https://elsewhere.example"),
    ({"Origin": "null"}, "http.server"),
    ({"Origin": "file://"}, "http.server"),
    ({"Host": "attacker.example"}, "attacker.example"),
    ({"Sec-Fetch-Site": "cross-site"}, "Sec-Fetch-Site"),
)


@pytest.mark.parametrize("auth", ["none", "aws_iam"])
async def test_pages_of_other_sites_are_rejected_where_anyone_knows_the_key(auth: str) -> None:
    async with serving(auth) as it:
        path = presigned(it.port, "local") if auth == "aws_iam" else "/"
        async with it.connect(path, additional_headers={"Origin": "http://localhost:5173"}):
            assert await it.opened()
        for headers, says in REFUSED:
            assert await rejection(it, path, headers) == 403
            line = it.lines.pop()
            assert line.startswith("refused | WebSocket, 403: ")
            assert says in line
            it.clock.advance(BOUNDED_LOG_WINDOW_S)
        assert it.lines == []
        assert it.invokers["$connect"].events.empty()


async def test_page_of_another_site_may_connect_with_a_key() -> None:
    async with serving("forward_key") as it:
        origin = {"Origin": "https://elsewhere.example"}
        async with it.connect(additional_headers=origin):
            assert await it.opened()


@pytest.mark.parametrize(
    ("auth", "status", "says"),
    [
        ("forward_key", 401, "Send one of FORWARD_KEY, or one of `npm run keys`, as Authorization"),
        ("forward_key", 503, "The function of $connect rejected the handshake."),
        ("none", 401, "The function of $connect rejected the handshake."),
    ],
)
async def test_rejection_by_the_function_is_a_line(auth: str, status: int, says: str) -> None:
    async with serving(auth, on_connect=buffered({"statusCode": status})) as it:
        assert await rejection(it, "/?key=hush", {}) == status
        (line,) = it.lines
        assert says in line
        assert "hush" not in line


async def test_missing_signature_is_a_line_that_says_how_to_sign() -> None:
    async with serving("aws_iam") as it:
        assert await rejection(it, "/", {}) == 403
        assert (await it.call("GET", "x", keys=Credentials("local", "hush"))).status == 403
        handshake, post = it.lines
        assert "--aws-sigv4 aws:amz:us-east-1:execute-api" in handshake
        assert post.startswith("refused | @connections, 403: The signature does not match")
        assert "hush" not in post


async def test_connection_too_many_is_refused_until_another_one_ends() -> None:
    async with serving() as it:
        open_ones = [await it.connect() for _ in range(MAX_CONNECTIONS)]
        assert await rejection(it, "/", {}) == 503
        assert "ulimit -n" in it.lines[0]
        await open_ones.pop().close()
        await it.event("$disconnect")
        open_ones.append(await it.connect())
        for socket in open_ones:
            await socket.close()


async def rejection(it: Bench, path: str, headers: dict[str, str]) -> int:
    """Return the status of a handshake that fails."""
    fields = {**HANDSHAKE, **headers}
    async with it.http.get(f"http://127.0.0.1:{it.port}{path}", headers=fields) as response:
        return response.status


@pytest.mark.parametrize(
    ("path", "headers", "status", "says"),
    [
        ("/", {}, 426, "HTTP has a port of its own"),
        ("/v1/models", {}, 403, "HTTP has a port of its own"),
        ("/a/b", HANDSHAKE, 403, "/{stage}"),
    ],
)
async def test_request_other_than_a_handshake_is_rejected(
    path: str, headers: dict[str, str], status: int, says: str
) -> None:
    async with serving() as it:
        url = f"http://127.0.0.1:{it.port}{path}"
        async with it.http.get(url, headers=headers) as response:
            assert response.status == status
        assert says in it.lines[0]
        assert it.invokers["$connect"].events.empty()


async def test_ending_the_service_closes_connections() -> None:
    async with serving() as it, it.connect() as socket:
        await it.opened()
        closing = asyncio.create_task(closed_with(socket))
        await it.api.close()
        assert await closing == 1001


@pytest.mark.parametrize("status", [200, 401])
async def test_client_that_leaves_during_the_handshake(
    caplog: pytest.LogCaptureFixture, status: int
) -> None:
    answering = asyncio.Event()

    async def script(event: Any, receiver: AnswerReceiver) -> FunctionFailure | None:
        await answering.wait()
        return await buffered({"statusCode": status})(event, receiver)

    async with serving(on_connect=script) as it:
        _, client = await asyncio.open_connection("127.0.0.1", it.port)
        client.write(UPGRADE)
        connection_id = await it.opened()
        client.close()
        await until(lambda: all(open_.transport is None for open_ in it.server.connections))
        answering.set()
        assert (await it.call("GET", connection_id)).status == 410
        if status == 200:  # $connect took effect, so $disconnect must undo it
            context = (await it.event("$disconnect"))["requestContext"]
            assert context["connectionId"] == connection_id
            assert context["disconnectStatusCode"] == 1006
        assert it.invokers["$disconnect"].events.empty()
    assert caplog.text == ""
