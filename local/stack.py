"""Builds the local stack: ports, demo model, functions and servers; stops them in order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any

from local.api_gateway.server import Routes, WebSocketApi
from local.banner import BannerFacts
from local.clock import Clock
from local.console import BoundedLog, Console
from local.demo_model import demo_model
from local.errors import FunctionStartFailedError, missing_resource
from local.function_url.door import UrlDoor
from local.function_url.server import FunctionUrl
from local.functions.command import function_process
from local.functions.pool import FunctionPool
from local.functions.start_log import StartLog
from local.http.half_closing import Handler
from local.http.listening import bind, port_of, serve, serve_app
from local.http.refusals import RefusalLog
from local.http.sigv4_verification import SignatureCheck
from local.models.installation import Installation
from local.models.server import ModelServer
from local.open_files import OpenFiles
from local.playground.page import Playground
from local.playground.recent_requests import RecentRequests
from local.playground.settings import (
    REQUESTS_PATH,
    PageSettings,
    api_path,
    url_proof,
    websocket_proof,
)
from local.project.chat_file import check_chat_file
from local.project.environment import (
    DEMO_KEY,
    LocalPlace,
    UserSettings,
    check_auth,
    check_upstream,
    check_url_auth,
    function_environment,
    has_forward_key,
    keys_of,
    names_another_api,
    own_environment,
    unencrypted,
    user_credentials,
)
from local.project.overview import default_model, overview, upstream
from local.project.prompt_templates import template_names
from local.project.serverless_yml import REGION, ServiceSettings
from local.xray.daemon import TraceDaemon

_NOT_HTTP = (
    "The request is not valid HTTP. Use an http:// or ws:// URL: this port does not speak TLS. "
    "A header field may have 16 KB."
)


@dataclass(frozen=True, slots=True)
class StackOptions:
    """The stack's part of the command line."""

    host: str
    http_port: int
    ws_port: int
    concurrency: int
    open_files: OpenFiles
    traces: bool = False
    model: Installation | None = None


class Stack:
    """The running service: `async with` starts everything and, at its end, stops everything.

    Entering returns the facts of the banner. It raises LocalStackError for an invalid setting, a
    port in use, or a function that cannot start.
    """

    def __init__(
        self, service: ServiceSettings, user: UserSettings, options: StackOptions, console: Console
    ) -> None:
        self._service = service
        self._user = user
        self._options = options
        self._console = console
        self._cleanup = AsyncExitStack()
        functions = len(service.functions)
        self._concurrency = min(options.concurrency, options.open_files.processes(functions))
        self._keys = user_credentials(user, options.host)
        self._refusals = RefusalLog(console.line)
        self._recent = RecentRequests()
        self._tracer: TraceDaemon | None = None
        self._pools: dict[str, FunctionPool] = {}
        self._logs: dict[str, StartLog] = {}

    async def __aenter__(self) -> BannerFacts:
        try:
            return await self._start()
        except BaseException:
            await self._cleanup.aclose()
            raise

    async def __aexit__(self, *_exception: object) -> None:
        await self._cleanup.aclose()

    async def _start(self) -> BannerFacts:
        options = self._options
        loop = asyncio.get_running_loop()
        log = BoundedLog("stack", self._console.line)
        loop.set_exception_handler(partial(_note_refused_connection, log))
        self._cleanup.callback(loop.set_exception_handler, None)
        http = self._bind(options.http_port, "--http-port")
        ws = self._bind(options.ws_port, "--ws-port")
        model_url = await self._model()
        if options.traces:
            self._tracer = TraceDaemon(self._console.line)
            self._cleanup.callback(self._tracer.close)
        name = options.model.model.name if options.model else ""
        place = LocalPlace(options.host, port_of(http), port_of(ws), model_url, name)
        environments = self._environments(place)
        self._make_pools(environments)
        facts = self._facts(place, environments)
        # The last one in stops first: connections, functions, then the servers.
        page = self._playground(facts, environments)
        await self._serve(self._function_url(facts, page).handle, http, "Function URL")
        websockets = self._websocket_api(facts)
        await self._serve(websockets.handle, ws, "WebSocket")
        self._cleanup.push_async_callback(self._stop_functions)
        self._cleanup.push_async_callback(websockets.close)
        self._cleanup.callback(self._recent.close)
        await self._start_functions()
        return facts

    def _bind(self, port: int, option: str) -> socket:
        listening = bind(self._options.host, port, option)
        self._cleanup.callback(listening.close)
        return listening

    async def _serve(self, handler: Handler, listening: socket, place: str) -> None:
        on_malformed = partial(self._refusals.note, place, 400, _NOT_HTTP)
        runner = await serve(handler, listening, on_malformed)
        self._cleanup.push_async_callback(runner.cleanup)

    async def _model(self) -> str:
        """Start the model that answers, and return its URL; "" if it is elsewhere."""
        if installed := self._options.model:
            server = ModelServer(installed.model.name, self._console.line)
            self._cleanup.push_async_callback(server.stop)
            await server.start(installed, self._user.shell, DEMO_KEY)
            return server.url
        wants_model = self._service.is_gateway and self._user.wants_demo_model()
        return await self._demo_model() if wants_model else ""

    async def _demo_model(self) -> str:
        listening = bind("127.0.0.1", 0, "the demo model's port")
        runner = await serve_app(demo_model(), listening)
        self._cleanup.push_async_callback(runner.cleanup)
        return f"http://127.0.0.1:{port_of(listening)}/v1"

    def _environments(self, place: LocalPlace) -> dict[str, dict[str, str]]:
        found = {}
        has_own_keys = self._user.has_own_keys()
        for function in self._service.functions:
            if self._service.is_gateway:
                environment = function_environment(
                    function, self._user, place, self._service.folder
                )
                check_auth(environment, place.host, has_own_keys=has_own_keys)
                check_upstream(environment, place)
                check_chat_file(environment["LOG_CHAT_FILE"])
            else:
                environment = own_environment(function, self._user)
                check_url_auth(function, place.host, has_own_keys=has_own_keys)
            traced = self._tracer.environment() if self._tracer else {}
            found[function.key] = {**environment, **traced}
        return found

    def _make_pools(self, environments: Mapping[str, Mapping[str, str]]) -> None:
        folder = Path(self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="sluice-")))
        for function in self._service.functions:
            log = self._log_of(function.key)
            process = function_process(
                self._service,
                function,
                environments[function.key],
                self._keys,
                folder,
                partial(self._note_line, log),
                self._tracer,
            )
            self._pools[function.key] = FunctionPool(process, self._concurrency)
            self._logs[function.key] = log

    def _note_line(self, log: StartLog, line: str) -> None:
        log.line(line)
        self._recent.note(line)

    def _log_of(self, key: str) -> StartLog:
        return StartLog(lambda line: self._console.line(f"{key} | {line}"), Clock())

    def _facts(
        self, place: LocalPlace, environments: Mapping[str, Mapping[str, str]]
    ) -> BannerFacts:
        url_function = self._service.url_function()
        if not self._service.is_gateway:
            return self._other_facts(place, url_function.url_auth if url_function else "none")
        url = environments[url_function.key] if url_function else {}
        connect = environments.get(self._service.routes().get("$connect", ""), {})
        keys = "" if place.demo_base_url else self._user.get("OPENAI_API_KEY")
        return BannerFacts(
            place=place,
            url_auth=url.get("FUNCTION_URL_AUTH", "aws_iam"),
            websocket_auth=connect.get("WEBSOCKET_AUTH", ""),
            upstream=upstream(url),
            overview=overview({**url, "OPENAI_API_KEY": keys}),
            own_keys=self._user.has_own_keys(),
            has_forward_key=has_forward_key(connect),
            unencrypted=unencrypted(url),
            names_another_api=names_another_api(self._user),
            open_files=self._options.open_files.note(len(environments), self._options.concurrency),
            chat_file=connect.get("LOG_CHAT_FILE", ""),
            traces=self._options.traces,
            api_path=api_path(url.get("OPENAI_ROUTE_PREFIX", "")),
        )

    def _other_facts(self, place: LocalPlace, url_auth: str) -> BannerFacts:
        count = len(self._service.functions)
        return BannerFacts(
            place=place,
            url_auth=url_auth,
            websocket_auth="",
            upstream="",
            own_keys=self._user.has_own_keys(),
            has_forward_key=False,
            open_files=self._options.open_files.note(count, self._options.concurrency),
            traces=self._options.traces,
            other=self._service,
        )

    def _playground(
        self, facts: BannerFacts, environments: Mapping[str, Mapping[str, str]]
    ) -> Playground | None:
        if facts.other:
            return None
        function = self._service.url_function()
        url = environments[function.key] if function else {}
        has_public_key = facts.url_auth == "aws_iam" and self._keys.is_well_known()
        settings = PageSettings(
            title="local stack",
            http_url=facts.place.http_url(),
            websocket_url=facts.place.ws_url(),
            url_auth=url_proof(facts.url_auth, has_public_key=has_public_key),
            websocket_auth=websocket_proof(facts.websocket_auth),
            region=REGION,
            model=default_model(url),
            api_path=facts.api_path,
            templates=template_names(url),
            public_key=self._keys.access_key if has_public_key else "",
            requests=REQUESTS_PATH,
            network_hint="Check that `npm start` still runs.",
        )
        return Playground(settings, self._recent)

    def _function_url(self, facts: BannerFacts, playground: Playground | None) -> FunctionUrl:
        function = self._service.url_function()
        pool = self._pools[function.key] if function else None
        is_signed = facts.url_auth == "aws_iam"
        check = SignatureCheck(self._keys, "lambda", REGION) if is_signed else None
        if facts.other:
            door = UrlDoor(check, None, "remove authorizer: aws_iam from the url in serverless.yml")
        else:
            door = UrlDoor(check, keys_of(self._user.get("FORWARD_KEY")))
        is_sampled = self._options.traces
        return FunctionUrl(
            pool,
            door,
            self._health,
            self._refusals,
            is_sampled=is_sampled,
            playground=playground,
        )

    def _websocket_api(self, facts: BannerFacts) -> WebSocketApi:
        pools = {route: self._pools[key] for route, key in self._service.routes().items()}
        routes = Routes(pools, self._service.route_selection, self._service.stage)
        check = SignatureCheck(self._keys, "execute-api", REGION)
        limit = self._options.open_files.websockets()
        return WebSocketApi(routes, check, facts.websocket_auth, self._refusals, limit)

    def _health(self) -> dict[str, bool]:
        return {key: pool.is_ready() for key, pool in self._pools.items()}

    async def _start_functions(self) -> None:
        for pool in self._pools.values():
            pool.start()
        try:
            await asyncio.gather(*(self._up(key) for key in self._pools))
        except FunctionStartFailedError as error:
            for key, log in self._logs.items():
                adds_detail = key == error.function and not error.is_about_a_setting()
                (log.release if adds_detail else log.mute)()
            raise

    async def _up(self, key: str) -> None:
        failure = await self._pools[key].wait_for_start()
        if failure is not None:
            raise FunctionStartFailedError(key, failure)
        self._logs[key].release()

    async def _stop_functions(self) -> None:
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))


def _note_refused_connection(
    log: BoundedLog, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """Write one line where asyncio writes a traceback for each connection that it cannot accept."""
    missing = missing_resource(context.get("exception"))
    if missing and "accept" in context["message"]:
        log.line(f"Cannot accept a connection, so clients wait: {missing}")
    else:
        loop.default_exception_handler(context)
