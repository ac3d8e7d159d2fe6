"""What each function imports at start: Lambda bills for it and a user waits for it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = {
    "connect": {
        "packages": set[str](),
        "sluice": (
            "authentication errors key_ring named_tuple request_log setting_values settings "
            "aws.parameters "
            "http.urls "
            "state.connections state.opening "
            "websocket.admission websocket.events "
        ),
    },
    "disconnect": {
        "packages": set[str](),
        "sluice": (
            "authentication errors named_tuple request_log setting_values settings "
            "http.urls "
            "state.connections state.opening "
            "websocket.admission websocket.events "
        ),
    },
    "control": {
        "packages": set[str](),
        "sluice": (
            "authentication deadline error_body errors named_tuple request_log secret_mask "
            "setting_values settings text "
            "aws.sigv4 "
            "completions.request "
            "http.connection http.http1 http.opening http.transport http.urls "
            "state.connections state.opening "
            "upstream.retries "
            "websocket.connections_api websocket.control websocket.events websocket.posting "
            "websocket.request "
        ),
    },
    "default": {
        "packages": set[str](),
        "sluice": (
            "authentication deadline error_body errors key_ring named_tuple request_log "
            "secret_mask setting_values settings stop_signal text "
            "aws.sigv4 aws.parameters "
            "completions.answer completions.event_stream completions.events "
            "completions.parsers completions.request completions.sse completions.usage "
            "http.connection http.http1 http.opening http.transport http.urls "
            "state.connections state.opening "
            "upstream.call upstream.client upstream.headers upstream.providers "
            "upstream.providers.openai upstream.reply upstream.retries upstream.targets "
            "websocket.answer websocket.cancellation_watch "
            "websocket.connections_api websocket.delivery websocket.event_splitting "
            "websocket.events websocket.frames websocket.gateway websocket.posting "
            "websocket.request "
        ),
    },
    "stream": {
        "packages": set[str](),
        "sluice": (
            "authentication deadline errors key_ring named_tuple request_log secret_mask "
            "setting_values settings "
            "aws.parameters "
            "completions.answer completions.event_stream completions.request completions.usage "
            "http.connection http.http1 http.opening http.transport http.urls "
            "upstream.call upstream.client upstream.headers upstream.providers "
            "upstream.providers.openai upstream.reply upstream.retries upstream.targets "
            "url.events url.gateway url.reply url.routes "
        ),
    },
}
NOT_AT_START = {
    *("asyncio", "boto3", "botocore", "aws_xray_sdk", "multiprocessing", "sqlite3", "xml"),
    # Each a good part of what `stream` takes to start: http.client and email behind it, TLS (loaded
    # while the upstream answers the connection's first segment), dataclasses and inspect.
    *("http", "email", "ssl", "certifi", "requests", "urllib3", "dataclasses", "inspect"),
    "typing",
}
NOT_IN_SMALL_FUNCTIONS = {"logging", "threading", "socket", "datetime", "random", "urllib"}
"""connect and disconnect ask nobody. control asks @connections, and needs no more than a socket."""
NOT_IN_STREAM = {"logging", "hashlib", "hmac", "datetime", "random", "urllib"} | {"threading"}
"""Parsers of answers, hashes of keys, dates of retries: what few requests need comes with them."""

REPORT = """
import importlib, json, sys
importlib.import_module("awslambda.invoke_loop")
runtime = set(sys.modules)
importlib.import_module(f"functions.{sys.argv[1]}.handler")
new = {name: sys.modules[name] for name in set(sys.modules) - runtime}
files = {name: str(getattr(module, "__file__", "")) for name, module in new.items()}
print(json.dumps(files))
"""


def imported_at_start(function: str) -> dict[str, str]:
    """Names of the modules that the function's handler brings in, with their files."""
    folders = (".", "layers/runtime/python", "layers/shared/python")
    path = os.pathsep.join(str(ROOT / folder) for folder in folders)
    done = subprocess.run(
        [sys.executable, "-c", REPORT, function],
        env={"PYTHONPATH": path},
        capture_output=True,
        check=True,
        text=True,
    )
    modules: dict[str, str] = json.loads(done.stdout)
    return modules


def holds_code(file: Path) -> bool:
    """Whether it is more than the docstring of a package."""
    return file.name != "__init__.py" or len(ast.parse(file.read_text("utf-8")).body) > 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_imports_what_is_listed_and_no_more(function: str) -> None:
    modules = imported_at_start(function)
    top_level = {name.partition(".")[0] for name in modules}
    installed = {
        name.partition(".")[0]
        for name, file in modules.items()
        if "site-packages" in file and "__mypyc" not in name
    }
    own = {
        name.removeprefix("sluice.")
        for name, file in modules.items()
        if name.startswith("sluice.") and holds_code(Path(file))
    }
    assert installed == FUNCTIONS[function]["packages"]
    assert own == set(str(FUNCTIONS[function]["sluice"]).split())
    assert not top_level & NOT_AT_START
    if function in ("connect", "disconnect", "control"):
        needed = {"socket"} if function == "control" else set[str]()
        assert not top_level & (NOT_IN_SMALL_FUNCTIONS - needed)
    if function == "stream":
        assert not top_level & NOT_IN_STREAM
