"""The WebSocket API over real sockets, with the `websockets` client."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKeys
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from local.errors import FunctionFailure
from local.invocation import AnswerReceiver
from local.limits import (
    INTEGRATION_TIMEOUT_S,
)
from tests.local.api_gateway.websocket_bench import CHECK, OK, Bench, closed_with, run, told
from tests.local.runtime_api.scripted_invoker import Script, buffered, failing


def test_connect_event_has_headers_query_and_stage() -> None:
    async def test(it: Bench) -> None:
        async with it.connect("/prod?key=1&key=2", additional_headers={"X-Mine": "yes"}):
            event = await it.event("$connect")
        assert event["headers"]["X-Mine"] == "yes"
        assert event["headers"]["Sec-WebSocket-Version"] == "13"
        assert event["multiValueQueryStringParameters"] == {"key": ["1", "2"]}
        context = event["requestContext"]
        assert (context["stage"], context["eventType"]) == ("prod", "CONNECT")
        assert context["domainName"] == f"127.0.0.1:{it.port}"
        assert context["connectionId"].endswith("=")

    run(test)


def test_message_takes_the_route_its_body_names() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            await socket.send('{"action": "sendmessage", "data": "hä"}')
            event = await it.event("sendmessage")
            assert event["body"] == '{"action": "sendmessage", "data": "hä"}'
            assert event["requestContext"]["routeKey"] == "sendmessage"
            assert event["requestContext"]["stage"] == "dev"
            await socket.send("no json")
            event = await it.event("$default")
            assert event["requestContext"]["routeKey"] == "$default"
            assert "headers" not in event

    run(test)


def test_key_offered_as_a_subprotocol_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test(it: Bench) -> None:
        with pytest.raises(InvalidStatus):
            await it.connect(subprotocols=[Subprotocol("bearer.hush"), Subprotocol("chat")])
        event = await it.event("$connect")
        assert event["headers"]["Sec-WebSocket-Protocol"] == "bearer.hush, chat"
        assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"

    run(test, on_connect=buffered({"statusCode": 401}))
    assert "hush" not in caplog.text


def test_messages_of_one_connection_run_at_the_same_time() -> None:
    both = asyncio.Barrier(2)

    async def script(_event: Any, receiver: AnswerReceiver) -> FunctionFailure | None:
        await both.wait()
        return await OK(_event, receiver)

    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            await socket.send("1")
            await socket.send("2")
            bodies = [(await it.event("$default"))["body"] for _ in range(2)]
            assert bodies == ["1", "2"]
            async with asyncio.timeout(5):
                for invocation in it.invokers["$default"].invocations:
                    assert await invocation.outcome is None

    run(test, on_default=script)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        (buffered({"statusCode": 401}), 401),
        (buffered({"statusCode": 403}), 403),
        (buffered({"statusCode": 418}), 418),
        (buffered({"statusCode": 500, "body": "why"}), 500),
        (buffered({"statusCode": 302}), 302),
        (buffered({"statusCode": 101}), 502),
        (failing(), 502),
        (buffered(None), 502),
    ],
)
def test_connection_that_the_function_refuses_never_opens(script: Script, status: int) -> None:
    async def test(it: Bench) -> None:
        with pytest.raises(InvalidStatus) as caught:
            await it.connect()
        assert caught.value.response.status_code == status
        refused = await it.opened()
        assert (await it.call("POST", refused, b"x")).status == 410
        assert it.invokers["$disconnect"].events.empty()

    run(test, on_connect=script)


def test_connect_that_takes_too_long_is_refused() -> None:
    async def script(_event: Any, _receiver: AnswerReceiver) -> None:
        await asyncio.Event().wait()

    async def test(it: Bench) -> None:
        connecting = asyncio.create_task(it.connect().__aenter__())
        await it.event("$connect")
        it.clock.advance(INTEGRATION_TIMEOUT_S)
        with pytest.raises(InvalidStatus) as caught:
            await connecting
        assert caught.value.response.status_code == 504

    run(test, on_connect=script)


def test_subprotocol_that_the_function_chose_is_agreed_on() -> None:
    chosen = buffered({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}})

    async def test(it: Bench) -> None:
        offered = [Subprotocol("bearer.key"), Subprotocol("chat")]
        async with it.connect(subprotocols=offered) as socket:
            assert socket.subprotocol == "chat"

    run(test, on_connect=chosen)


def test_connections_at_once_are_not_mixed_up() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as one, it.connect() as two, it.connect() as three:
            sockets = {await it.opened(): socket for socket in (one, two, three)}
            for number, (connection_id, socket) in enumerate(sockets.items()):
                await socket.send(f"ask {number}")
                context = (await it.event("$default"))["requestContext"]
                assert context["connectionId"] == connection_id
            for number, connection_id in enumerate(sockets):
                await it.call("POST", connection_id, b"answer %d" % number)
            heard = [await socket.recv() for socket in sockets.values()]
            assert heard == ["answer 0", "answer 1", "answer 2"]

    run(test)


def test_failed_function_is_told_and_the_connection_stays_open() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            connection_id = await it.opened()
            for _ in range(2):
                await socket.send("x")
                event = await it.event("$default")
                assert await told(socket) == {
                    "message": "Internal server error",
                    "connectionId": connection_id,
                    "requestId": event["requestContext"]["requestId"],
                }

    run(test, on_default=failing())


def test_answer_that_is_no_proxy_answer_is_a_failure() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            await socket.send("x")
            assert (await told(socket))["message"] == "Internal server error"

    run(test, on_default=buffered("what"))


def test_answer_that_takes_too_long_is_told_and_the_function_goes_on() -> None:
    go_on = asyncio.Event()

    async def script(event: Any, receiver: AnswerReceiver) -> FunctionFailure | None:
        await go_on.wait()
        return await OK(event, receiver)

    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            connection_id = await it.opened()
            await socket.send("x")
            event = await it.event("$default")
            it.clock.advance(INTEGRATION_TIMEOUT_S)
            assert await told(socket) == {
                "message": "Endpoint request timed out",
                "connectionId": connection_id,
                "requestId": event["requestContext"]["requestId"],
            }
            go_on.set()
            assert await it.invokers["$default"].invocations[0].outcome is None
            await socket.send("y")
            await it.event("$default")

    run(test, on_default=script)


def test_message_without_a_route_is_forbidden() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            connection_id = await it.opened()
            await socket.send("x")
            message = await told(socket)
            assert message.pop("requestId")
            assert message == {"message": "Forbidden", "connectionId": connection_id}

    run(test, without=("$default",))


def test_service_without_connect_and_disconnect_lets_everyone_in() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            await socket.send("x")
            await it.event("$default")

    run(test, without=("$connect", "$disconnect"))


def test_refusal_may_have_a_status_that_http_does_not_name() -> None:
    async def test(it: Bench) -> None:
        with pytest.raises(InvalidStatus) as caught:
            await it.connect()
        assert caught.value.response.status_code == 499
        assert b'"message": "Refused"' in caught.value.response.body

    run(test, on_connect=buffered({"statusCode": 499}))


def test_failure_of_a_connection_that_is_gone_is_told_to_nobody() -> None:
    go_on = asyncio.Event()

    async def script(_event: Any, _receiver: AnswerReceiver) -> FunctionFailure:
        await go_on.wait()
        return FunctionFailure("E", "m")

    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            await socket.send("x")
            await it.event("$default")
        await it.event("$disconnect")
        go_on.set()
        assert await it.invokers["$default"].invocations[0].outcome is not None

    run(test, on_default=script)


@pytest.mark.parametrize(
    ("code", "reason", "seen", "seen_reason"),
    [
        (1000, "bye", 1000, "bye"),
        (4001, "", 4001, ""),
        (1005, "", 1005, "Client-side close frame status not set"),
    ],
)
def test_close_of_the_client_is_told_to_disconnect(
    code: int, reason: str, seen: int, seen_reason: str
) -> None:
    async def test(it: Bench) -> None:
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

    run(test)


def test_connection_that_breaks_is_told_to_disconnect() -> None:
    async def test(it: Bench) -> None:
        socket = await it.connect()
        socket.transport.abort()
        context = (await it.event("$disconnect"))["requestContext"]
        assert context["disconnectStatusCode"] == 1006
        assert it.invokers["$disconnect"].events.empty()

    run(test)


def presigned(port: int, secret: str) -> str:
    request = AWSRequest(method="GET", url=f"http://127.0.0.1:{port}/dev")
    signer = SigV4QueryAuth(SigningKeys("local", secret), "execute-api", "us-east-1", 60)
    signer.add_auth(request)
    return "/dev?" + str(request.url).partition("?")[2]


def test_connection_may_need_a_signature() -> None:
    async def test(it: Bench) -> None:
        async with it.connect(presigned(it.port, "local")):
            assert await it.opened()
        for path in (presigned(it.port, "wrong"), "/"):
            with pytest.raises(InvalidStatus) as caught:
                await it.connect(path)
            assert caught.value.response.status_code == 403

    run(test, CHECK)


@pytest.mark.parametrize(
    "origin", ["https://elsewhere.example", "http://127.0.0.1.example", "null", "http://[", ""]
)
def test_open_door_is_closed_to_pages_of_other_sites(origin: str) -> None:
    async def test(it: Bench) -> None:
        with pytest.raises(InvalidStatus) as caught:
            await it.connect(additional_headers={"Origin": origin})
        assert caught.value.response.status_code == 403

    run(test)


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1", "http://[::1]:80"])
def test_open_door_is_open_to_pages_of_this_machine(origin: str) -> None:
    async def test(it: Bench) -> None:
        async with it.connect(additional_headers={"Origin": origin}):
            assert await it.opened()

    run(test)


def test_door_with_a_lock_is_open_to_every_page_that_has_the_key() -> None:
    async def test(it: Bench) -> None:
        origin = {"Origin": "https://elsewhere.example"}
        async with it.connect(presigned(it.port, "local"), additional_headers=origin):
            assert await it.opened()

    run(test, CHECK)


@pytest.mark.parametrize(("path", "status"), [("/", 426), ("/a/b", 403)])
def test_what_is_no_handshake_is_refused(path: str, status: int) -> None:
    async def test(it: Bench) -> None:
        async with it.http.get(f"http://127.0.0.1:{it.port}{path}") as response:
            assert response.status == status
        assert it.invokers["$connect"].events.empty()

    run(test)


def test_ending_the_service_closes_connections() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            await it.opened()
            closing = asyncio.create_task(closed_with(socket))
            await it.api.close()
            assert await closing == 1001

    run(test)
