"""A service folder whose functions are stand-ins, and gates that hold them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from local.functions.execution_environment import FunctionProcess

SCRIPT = Path(__file__).with_name("stand_in_runtime.py")

SERVERLESS_YML = """
service: sluice
provider:
  name: aws
  runtime: python3.13
  layers: [!Ref RuntimeLambdaLayer]
  environment:
    AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap
    FUNCTION_URL_AUTH: ${env:FUNCTION_URL_AUTH, 'aws_iam'}
    WEBSOCKET_AUTH: ${env:WEBSOCKET_AUTH, 'forward_key'}
functions:
  connect: {handler: stand_in.CONNECT, events: [websocket: $connect]}
  disconnect: {handler: stand_in.run, events: [websocket: $disconnect]}
  default: {handler: stand_in.run, events: [websocket: $default, websocket: sendmessage]}
  stream: {handler: stand_in.run, url: {authorizer: aws_iam, invokeMode: RESPONSE_STREAM}}
layers:
  runtime: {path: layers/runtime}
"""


def write_service(folder: Path, *, connect: str = "run") -> Path:
    """Write a service of stand-ins into `folder`; return its serverless.yml."""
    layer = folder / "layers" / "runtime"
    layer.mkdir(parents=True)
    bootstrap = layer / "bootstrap"
    bootstrap.write_text(f'#!/bin/sh\nexec "$1" -S "{SCRIPT}"\n')
    bootstrap.chmod(0o755)
    config = folder / "serverless.yml"
    config.write_text(SERVERLESS_YML.replace("CONNECT", connect))
    return config


def stand_in(folder: Path, log: list[str], *, how: str = "run", **settings: Any) -> FunctionProcess:
    """Return how to run one stand-in; its output lines go to `log`."""
    usual: dict[str, Any] = {
        "timeout_s": 30.0,
        "init_timeout_s": 30.0,
        "command": (sys.executable, "-S", str(SCRIPT)),
    }
    environ = {"_HANDLER": f"stand_in.{how}", "MINE": "yes"}
    return FunctionProcess(
        key="f", arn="arn:f", environ=environ, folder=folder, log=log.append, **(usual | settings)
    )


class Gate:
    """Holds the functions whose step is `["gate", port]` until it is opened."""

    def __init__(self) -> None:
        self.port = 0
        self._held: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def accept(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._held.put_nowait(writer)

    async def reached(self) -> asyncio.StreamWriter:
        """Wait until a function reaches the gate; close the writer to let it continue."""
        return await self._held.get()

    async def let_one_pass(self) -> None:
        """Wait until a function reaches the gate and let it continue."""
        (await self.reached()).close()


@asynccontextmanager
async def open_gate() -> AsyncIterator[Gate]:
    gate = Gate()
    server = await asyncio.start_server(gate.accept, "127.0.0.1", 0)
    gate.port = server.sockets[0].getsockname()[1]
    try:
        yield gate
    finally:
        server.close()
