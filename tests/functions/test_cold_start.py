"""What each function imports at start: Lambda bills for it and a user waits for it."""

from __future__ import annotations

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
        "sluice": "authentication state.connections errors key_ring named_tuple request_log settings"
        " aws.ssm_parameter state.store http.url_parts websocket.admission websocket.events",
    },
    "disconnect": {
        "packages": set[str](),
        "sluice": "authentication state.connections errors named_tuple request_log settings"
        " state.store http.url_parts websocket.admission websocket.events",
    },
    "default": {
        "packages": {"sseclient"},
        "sluice": "authentication websocket.cancellation_watch websocket.chat_frames completions.events"
        " state.connections websocket.connections_api completions.conversation_log deadline websocket.delivery error_body errors"
        " websocket.event_splitting websocket.frames upstream.headers http.http1 http.connection key_ring upstream.call"
        " completions.request named_tuple upstream.client upstream.providers.openai request_log"
        " completions.parsers upstream.retries secret_mask settings aws.sigv4 http.opening completions.sse aws.ssm_parameter"
        " state.store stop_signal upstream.targets websocket.text_frames upstream.answer upstream.connections"
        " upstream.exchange upstream.refusal http.url_encoding http.url_parts completions.usage websocket.answer"
        " websocket.events websocket.gateway websocket.request",
    },
    "stream": {
        "packages": set[str](),
        "sluice": "authentication url.cross_origin deadline error_body errors upstream.headers http.http1"
        " http.connection key_ring upstream.call completions.request named_tuple upstream.client"
        " upstream.providers.openai request_log upstream.retries secret_mask settings http.opening"
        " aws.ssm_parameter upstream.targets upstream.answer upstream.connections"
        " upstream.exchange upstream.refusal http.url_encoding url.events http.url_parts url.gateway url.reply"
        " completions.usage",
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
"""connect and disconnect ask nobody."""
NOT_IN_STREAM = {"logging", "hashlib", "hmac", "datetime", "random", "sseclient", "urllib"} | {
    "threading"
}
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
        if name.startswith("sluice.") and not file.endswith("__init__.py")
    }
    assert installed == FUNCTIONS[function]["packages"]
    assert own == set(str(FUNCTIONS[function]["sluice"]).split())
    assert not top_level & NOT_AT_START
    if function in ("connect", "disconnect"):
        assert not top_level & NOT_IN_SMALL_FUNCTIONS
    if function == "stream":
        assert not top_level & NOT_IN_STREAM
