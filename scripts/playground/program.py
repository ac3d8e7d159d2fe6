"""Serves the page until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import webbrowser
from socket import socket

from aiohttp import web

from local.errors import ConfigurationError
from local.http.listening import bind, port_of, serve
from local.http.refusals import RefusedError
from local.http.requests import http_request
from local.playground.page import Playground
from local.playground.settings import PageSettings
from scripts.access.command_line import exit_code
from scripts.access.place import user_settings
from scripts.access.shell import Shell
from scripts.playground.command_line import DEFAULT_PORT, parse
from scripts.playground.stage import page_settings

HOST = "127.0.0.1"


def main(shell: Shell) -> int:
    """Serve the page for a stage."""

    def run() -> None:
        options = parse(shell.arguments, shell.environ)
        user = user_settings(options.stage, shell)
        with listening_on(options.port) as listening:
            address = f"http://{HOST}:{port_of(listening)}"
            settings = page_settings(options, user, shell.folder, address)
            shell.out.write(f"{described(settings, address)}\n")
            shell.out.flush()
            if options.opens_browser and shell.out.isatty():
                webbrowser.open(f"{address}/")
            asyncio.run(serve_page(settings, listening))

    try:
        return exit_code("playground", run, shell)
    except KeyboardInterrupt:
        return 0


def listening_on(port: int | None) -> socket:
    """Return a listening socket; without a port, the usual one or else a free one."""
    if port is None:
        with contextlib.suppress(ConfigurationError):
            return bind(HOST, DEFAULT_PORT, "--port")
    return bind(HOST, port or 0, "--port")


def described(settings: PageSettings, address: str) -> str:
    lines = [
        f"Playground     {address}/   ({settings.title})",
        f"Function URL   {settings.http_url}   ({settings.url_auth})",
        f"WebSocket      {settings.websocket_url}   ({settings.websocket_auth})",
        *(f"Note           {note}" for note in settings.notes),
        "Ready. Press Ctrl-C to stop.",
    ]
    return "\n".join(lines)


async def serve_page(settings: PageSettings, listening: socket) -> None:
    playground = Playground(settings)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        try:
            found = await playground.answer(request, http_request(request))
        except RefusedError as error:
            return web.json_response({"Message": str(error)}, status=error.status)
        return found or web.Response(status=404, text="Open this address in a browser.\n")

    runner = await serve(answer, listening)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()
