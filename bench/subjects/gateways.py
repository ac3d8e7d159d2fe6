"""Gateways in front of an upstream, started one by one and measured from outside."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measurement.machine import CHECKOUT
from bench.measurement.process_cost import ProcessTree
from bench.measurement.processors import SUBJECT, running_on
from bench.subjects.installation import LITELLM, OPENAI_FORWARD
from bench.traffic.model_stream import KEY, MODEL, StreamShape
from bench.traffic.stream_client import StreamClient, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

START_PATIENCE_S = 60.0  # LiteLLM takes about ten seconds to start on a shared processor
LOOK_PAUSE_S = 0.1
END_PATIENCE_S = 10.0
CONCURRENCY = 64
LOG, MAX_LAST_WORDS = "log", 500
BLANKS, FOLDERS = re.compile(r"\s+"), re.compile(r"/[^\s\"']*/")
PROBE = StreamShape(1, 200, 0)
SLUICE = "local stack"
NGINX = "nginx"

NGINX_CONF = """\
daemon off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u;
  scgi_temp_path s;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""
LITELLM_CONF = {
    "model_list": [
        {
            "model_name": MODEL,
            "litellm_params": {"model": f"openai/{MODEL}", "api_key": "sk-upstream"},
        }
    ],
    "general_settings": {"master_key": KEY},
    "litellm_settings": {"telemetry": False},
}


@dataclass(frozen=True, slots=True)
class Launch:
    """A command that starts a gateway on a given port."""

    command: list[str]
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway. processes: None for the upstream itself."""

    name: str
    port: int
    processes: ProcessTree | None = None


class GatewayFailedError(Exception):
    """A gateway did not start, or did not answer its first request."""


def launches() -> dict[str, Callable[[Path, int, int], Launch] | None]:
    """How to start each, given a folder, its port and the upstream's; None if not installed."""
    has_nginx = shutil.which("nginx") is not None
    return {
        NGINX: _nginx if has_nginx else None,
        SLUICE: _sluice,
        "openai-forward": _openai_forward if OPENAI_FORWARD.is_file() else None,
        "LiteLLM": _litellm if LITELLM.is_file() else None,
    }


def missing_gateways() -> list[str]:
    """A line for each gateway that is not installed."""
    how = {NGINX: "not on PATH; Debian's package nginx-light has it"}
    peers = "not installed; `npm run bench -- --install-peers`"
    return [f"{name}: {how.get(name, peers)}" for name, launch in launches().items() if not launch]


@asynccontextmanager
async def running_gateway(
    name: str, launch: Callable[[Path, int, int], Launch], upstream_port: int
) -> AsyncIterator[Gateway]:
    """Run the gateway on the subject's processor; yield it once it has answered a request."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        port = free_port()
        process = _start(launch(Path(folder), port, upstream_port), name, Path(folder))
        try:
            if not await _answers(port, process):
                raise GatewayFailedError(f"{name} did not answer: {_last_words(Path(folder))}")
            yield Gateway(name, port, ProcessTree(process.pid))
        finally:
            _end(process)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _start(start: Launch, name: str, folder: Path) -> subprocess.Popen[bytes]:
    with running_on(SUBJECT), (folder / LOG).open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - what is measured
            start.command,
            cwd=CHECKOUT if name == SLUICE else folder,
            env={**_bare_environ(), **start.environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


async def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    client = StreamClient(port)
    ends_at = asyncio.get_running_loop().time() + START_PATIENCE_S
    while asyncio.get_running_loop().time() < ends_at and process.poll() is None:
        if (await client.ask(request(PROBE))).is_whole:
            client.close()
            return True
        await asyncio.sleep(LOOK_PAUSE_S)
    return False


def _last_words(folder: Path) -> str:
    said = (folder / LOG).read_text(errors="replace")
    return BLANKS.sub(" ", FOLDERS.sub("", said[-MAX_LAST_WORDS:])) or "no output"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _nginx(folder: Path, port: int, upstream_port: int) -> Launch:
    (folder / "nginx.conf").write_text(NGINX_CONF.format(port=port, upstream=upstream_port))
    folder.chmod(0o755)  # started by root, its worker is another user
    nginx = str(shutil.which("nginx"))
    return Launch([nginx, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"], {})


def _sluice(folder: Path, port: int, upstream_port: int) -> Launch:
    options = ["--http-port", str(port), "--ws-port", "0", "--concurrency", str(CONCURRENCY)]
    environ = {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}/v1",
        "OPENAI_API_KEY": "sk-upstream",
        "FUNCTION_URL_AUTH": "none",
        "FORWARD_KEY": KEY,
        "STATE_FILE": str(folder / "state.sqlite3"),
    }
    return Launch([sys.executable, "-m", "local", *options], environ)


def _openai_forward(_folder: Path, port: int, upstream_port: int) -> Launch:
    target = {"base_url": f"http://127.0.0.1:{upstream_port}", "route": "/", "type": "openai"}
    environ = {"FORWARD_CONFIG": json.dumps([target]), "LOG_OPENAI": "false"}
    return Launch([str(OPENAI_FORWARD), "run", "--port", str(port), "--workers", "1"], environ)


def _litellm(folder: Path, port: int, upstream_port: int) -> Launch:
    (folder / "config.yaml").write_text(json.dumps(LITELLM_CONF))  # JSON is valid YAML
    environ = {
        "OPENAI_API_BASE": f"http://127.0.0.1:{upstream_port}/v1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise it fetches a list of prices
        "NO_PROXY": "*",
    }
    options = ["--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    return Launch([str(LITELLM), *options, "--num_workers", "1"], environ)


def _bare_environ() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
