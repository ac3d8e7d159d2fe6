"""The WebSocket API and @connections over real sockets, with the `websockets` client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKeys
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol
from yarl import URL

from local.connections import ConnectionLimits, Connections
from local.connections_api import ConnectionsApi, connection_id_in
from local.environment import Credentials
from local.errors import FunctionFailure
from local.invocation import AnswerReceiver
from local.limits import MAX_MESSAGE_BYTES
from local.listening import bind, port_of, serve
from local.sigv4_verification import SignatureCheck
from local.websocket_api import Routes, WebSocketApi, WebSocketLimits
from tests.local.scripted_invoker import Script, ScriptedInvoker, buffered, failing

CHECK = SignatureCheck(Credentials("local", "local"), "execute-api", "us-east-1")
OK = buffered({"statusCode": 200})


class Bench:
    def __init__(
        self, api: WebSocketApi, invokers: Mapping[str, ScriptedInvoker], port: int
    ) -> None:
        self.api = api
        self.invokers = invokers
        self.port = port
        self.http = aiohttp.ClientSession()

    def connect(self, path: str = "/", **options: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}{path}", compression=None, **options)

    async def event(self, route: str) -> Any:
        return await self.invokers[route].events.get()

    async def opened(self) -> str:
        """Return the id of the connection that was opened last."""
        return str((await self.event("$connect"))["requestContext"]["connectionId"])

    async def call(
        self,
        method: str,
        connection_id: str,
        body: bytes = b"",
        stage: str = "",
        secret: str = "local",  # noqa: S107 - the key of the tests
    ) -> aiohttp.ClientResponse:
        path = f"{stage}/@connections/{quote(connection_id, safe='')}"
        url = f"http://127.0.0.1:{self.port}{path}"
        request = AWSRequest(method=method, url=url, data=body)
        request.headers["Host"] = f"127.0.0.1:{self.port}"
        SigV4Auth(SigningKeys("local", secret), "execute-api", "us-east-1").add_auth(request)
        async with self.http.request(
            method, URL(url, encoded=True), data=body, headers=dict(request.headers)
        ) as response:
            await response.read()
            return response


@asynccontextmanager
async def serving(
    scripts: Mapping[str, Script],
    check: SignatureCheck | None,
    limits: WebSocketLimits,
    drain_timeout_s: float,
) -> AsyncIterator[Bench]:
    invokers = {route: ScriptedInvoker(script) for route, script in scripts.items()}
    connections = Connections()
    management = ConnectionsApi(connections, CHECK, limits=ConnectionLimits(drain_timeout_s))
    routes = Routes(invokers, "$request.body.action", "dev")
    api = WebSocketApi(routes, connections, management, check=check, limits=limits)
    listening = bind("127.0.0.1", 0, "--ws-port")
    runner = await serve(api.handle, listening)
    it = Bench(api, invokers, port_of(listening))
    try:
        yield it
    finally:
        await it.http.close()
        await api.close()
        await runner.cleanup()


def run(
    test: Callable[[Bench], Awaitable[None]],
    check: SignatureCheck | None = None,
    limits: WebSocketLimits | None = None,
    drain_timeout_s: float = 10.0,
    without: tuple[str, ...] = (),
    **scripts: Script,
) -> None:
    async def whole() -> None:
        routes = {"$connect": OK, "$default": OK, "sendmessage": OK, "$disconnect": OK}
        given = {name.replace("on_", "$"): script for name, script in scripts.items()}
        kept = {name: made for name, made in {**routes, **given}.items() if name not in without}
        async with serving(kept, check, limits or WebSocketLimits(), drain_timeout_s) as it:
            await test(it)

    asyncio.run(whole())


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
        (buffered({"statusCode": 302}), 302),
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
        with pytest.raises(InvalidStatus) as caught:
            await it.connect()
        assert caught.value.response.status_code == 504

    run(test, on_connect=script, limits=WebSocketLimits(integration_s=0.1))


def test_subprotocol_that_the_function_chose_is_agreed_on() -> None:
    chosen = buffered({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}})

    async def test(it: Bench) -> None:
        offered = [Subprotocol("bearer.key"), Subprotocol("chat")]
        async with it.connect(subprotocols=offered) as socket:
            assert socket.subprotocol == "chat"

    run(test, on_connect=chosen)


async def told(socket: ClientConnection) -> Any:
    return json.loads(await socket.recv())


def test_failed_function_is_told_and_the_connection_stays_open() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            connection_id = await it.opened()
            for _ in range(2):
                await socket.send("x")
                message = await told(socket)
                assert message["message"] == "Internal server error"
                assert message["connectionId"] == connection_id
                event = await it.event("$default")
                assert message["requestId"] == event["requestContext"]["requestId"]

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
            await socket.send("x")
            assert (await told(socket))["message"] == "Endpoint request timed out"
            go_on.set()
            assert await it.invokers["$default"].invocations[0].outcome is None
            await socket.send("y")
            await it.event("$default")

    run(test, on_default=script, limits=WebSocketLimits(integration_s=0.1))


def test_message_without_a_route_is_forbidden() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            await socket.send("x")
            assert (await told(socket))["message"] == "Forbidden"

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


async def closed_with(socket: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    return socket.close_code


def test_message_of_the_largest_size_passes_and_a_larger_one_closes() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            await socket.send("x" * MAX_MESSAGE_BYTES)
            assert len((await it.event("$default"))["body"]) == MAX_MESSAGE_BYTES
            await socket.send("x" * (MAX_MESSAGE_BYTES + 1))
            assert await closed_with(socket) == 1009
            event = await it.event("$disconnect")
            assert event["requestContext"]["disconnectStatusCode"] == 1009

    run(test)


def test_binary_message_closes() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            await socket.send(b"x")
            assert await closed_with(socket) == 1003

    run(test)


@pytest.mark.parametrize("limits", [WebSocketLimits(idle_s=0.2), WebSocketLimits(lifetime_s=0.2)])
def test_quiet_or_old_connection_is_closed(limits: WebSocketLimits) -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            assert await closed_with(socket) == 1001
            event = await it.event("$disconnect")
            assert event["requestContext"]["disconnectStatusCode"] == 1001

    run(test, limits=limits)


def test_post_reaches_the_client_as_text() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            connection_id = await it.opened()
            for stage in ("", "/dev"):
                response = await it.call("POST", connection_id, "hä".encode(), stage)
                assert response.status == 200
                assert await socket.recv() == "hä"
            assert (await it.call("POST", connection_id, b"\xff")).status == 200
            assert await socket.recv() == "\ufffd"

    run(test)


def test_post_before_connect_has_answered_is_gone() -> None:
    async def script(event: Any, receiver: AnswerReceiver) -> FunctionFailure | None:
        await answered.wait()
        return await OK(event, receiver)

    answered = asyncio.Event()

    async def test(it: Bench) -> None:
        connecting = asyncio.create_task(it.connect().__aenter__())
        connection_id = await it.opened()
        response = await it.call("POST", connection_id, b"x")
        assert response.status == 410
        assert response.headers["x-amzn-ErrorType"] == "GoneException"
        answered.set()
        socket = await connecting
        assert (await it.call("POST", connection_id, b"x")).status == 200
        await socket.close()

    run(test, on_connect=script)


def test_post_of_the_largest_size_passes_and_a_larger_one_does_not() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            connection_id = await it.opened()
            assert (await it.call("POST", connection_id, b"x" * MAX_MESSAGE_BYTES)).status == 200
            assert len(await socket.recv()) == MAX_MESSAGE_BYTES
            response = await it.call("POST", connection_id, b"x" * (MAX_MESSAGE_BYTES + 1))
            assert response.status == 413
            assert response.headers["x-amzn-ErrorType"] == "PayloadTooLargeException"

    run(test)


def test_call_with_a_wrong_signature_is_forbidden() -> None:
    async def test(it: Bench) -> None:
        async with it.connect():
            connection_id = await it.opened()
            response = await it.call("POST", connection_id, b"x", secret="wrong")
            assert response.status == 403
            assert response.headers["x-amzn-ErrorType"] == "InvalidSignatureException"
            url = f"http://127.0.0.1:{it.port}/@connections/x"
            async with it.http.post(url, data=b"x") as unsigned:
                assert unsigned.status == 403

    run(test)


def test_connection_is_described() -> None:
    async def test(it: Bench) -> None:
        async with it.connect(user_agent_header="me/1"):
            response = await it.call("GET", await it.opened())
            told = json.loads(await response.text())
            assert told["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "me/1"}
            assert told["connectedAt"].endswith("Z")
            assert told["lastActiveAt"] >= told["connectedAt"]
        assert (await it.call("GET", "unknown=")).status == 410

    run(test)


def test_deleted_connection_is_closed() -> None:
    async def test(it: Bench) -> None:
        async with it.connect() as socket:
            connection_id = await it.opened()
            closing = asyncio.create_task(closed_with(socket))
            assert (await it.call("DELETE", connection_id)).status == 204
            assert await closing == 1000
            assert (await it.call("DELETE", connection_id)).status == 410

    run(test)


def test_other_method_is_forbidden() -> None:
    async def test(it: Bench) -> None:
        async with it.connect():
            assert (await it.call("PUT", await it.opened())).status == 403

    run(test)


def test_client_that_takes_nothing_makes_posts_wait_and_then_429() -> None:
    async def test(it: Bench) -> None:
        async with it.connect(max_queue=1) as socket:
            connection_id = await it.opened()
            socket.transport.pause_reading()
            answers = []
            while 429 not in answers:
                posts = (it.call("POST", connection_id, b"x" * 100_000) for _ in range(8))
                answers += [response.status for response in await asyncio.gather(*posts)]
            assert set(answers) == {200, 429}
            socket.transport.resume_reading()
            for _ in range(answers.count(200)):
                assert len(await socket.recv()) == 100_000

    run(test, drain_timeout_s=0.2)


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


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/@connections/a%3D", "a="),
        ("/dev/%40connections/a%2Fb%3D", "a/b="),
        ("/@connections", None),
        ("/a/b/@connections/c", None),
        ("/dev", None),
    ],
)
def test_connection_id_is_found_in_the_path(path: str, expected: str | None) -> None:
    assert connection_id_in(path) == expected
