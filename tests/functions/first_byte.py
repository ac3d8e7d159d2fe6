"""Runs a function until its start or its first byte is over, and lists what it has imported.

As deployed: keys in SSM, the state table, a provider, all under TLS. One scripted server plays them
and the WebSocket's @connections. It holds back what follows the first byte, so the function waits
while it reports.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.awslambda.scripted_runtime_api import RuntimeApi
from tests.child_environment import LAYERS, ROOT
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    UpstreamRequest,
    chunk,
    delta,
    replies,
    scripted_upstream,
    silent_until,
)
from tests.sluice.certificate_authority import CertificateAuthority

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path


KEY = "sk-a-key-of-the-gateway"
MAIN = ROOT / "layers/runtime/python/awslambda/__main__.py"
# What a bare Python has imported is not counted. The recorder itself imports nothing more.
RECORDER = """
import _signal, os, sys
bare = set(sys.modules)
def report(*_):
    new = [(n, getattr(m, "__file__", None) or "") for n, m in list(sys.modules.items())]
    pairs = ", ".join('"%s": "%s"' % pair for pair in new if pair[0] not in bare)
    os.write(int(os.environ["REPORT_FD"]), b"{%s}\\n" % pairs.encode())
_signal.signal(_signal.SIGUSR1, report)
file = sys.argv.pop(1)
sys.path[0] = os.path.dirname(file)
with open(file, encoding="utf-8") as source:
    code = compile(source.read(), file, "exec")
exec(code, {"__name__": "__main__", "__file__": file})
"""
CONTEXT = {
    "connectionId": "c",
    "requestId": "r",
    "domainName": "a.example",
    "stage": "dev",
    "requestTimeEpoch": 1_700_000_000_000,
}
CHAT = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}


def message(document: object) -> dict[str, object]:
    return {"requestContext": CONTEXT, "body": json.dumps(document)}


EVENTS: dict[str, dict[str, object]] = {
    "connect": {"requestContext": CONTEXT, "headers": {"Authorization": f"Bearer {KEY}"}},
    "disconnect": {"requestContext": {**CONTEXT, "disconnectStatusCode": 1000}},
    "control": message({"action": "ping"}),
    "default": message({"action": "chat", "id": "1", "request": CHAT}),
    "stream": {
        "version": "2.0",
        "rawPath": "/v1/chat/completions",
        "headers": {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
        "requestContext": {"requestId": "r", "http": {"method": "POST"}},
        "body": json.dumps(CHAT),
    },
}
POSTS_FRAMES = ("control", "default")


class Deployment:
    """A script: SSM, DynamoDB, the provider and @connections.

    answers_after_a_look: the provider answers once a function has looked at the table, which some
    do after half a second.
    """

    def __init__(self, *, answers_after_a_look: bool) -> None:
        self._answers_after_a_look = answers_after_a_look
        self.looked = threading.Event()
        self.posted = threading.Event()
        self.is_over = threading.Event()

    def __call__(self, request: UpstreamRequest, connection: socket.socket) -> None:
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        if operation == "GetParameters":
            found = [{"Name": name, "Value": KEY} for name in request.document["Names"]]
            replies(200, {"Parameters": found})(request, connection)
        elif operation == "BatchGetItem":
            self.looked.set()
            replies(200, {"Responses": {}})(request, connection)
        elif "@connections" in request.target:
            self.posted.set()
            silent_until(self.is_over)(request, connection)
        else:
            assert not self._answers_after_a_look or self.looked.wait(PATIENCE_S)
            connection.sendall(EVENT_STREAM_HEAD + chunk(delta("Hi")))
            silent_until(self.is_over)(request, connection)


@contextmanager
def started(
    function: str, python: Path, **environ: str
) -> Iterator[tuple[RuntimeApi, Callable[[], dict[str, str]], int]]:
    """The Runtime API of the function's process, what asks it for its modules, and its id."""
    api = RuntimeApi()
    read, write = os.pipe()
    variables = {
        "PYTHONPATH": LAYERS,
        "PYTHONDONTWRITEBYTECODE": "1",
        "REPORT_FD": str(write),
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "LAMBDA_TASK_ROOT": str(ROOT),
        "_HANDLER": f"functions/{function}/handler.handler",
        "FUNCTION_URL_AUTH": "none",
        "STATE_TABLE": "sluice-dev-state",
        **environ,
    }
    command = [str(python), "-c", RECORDER, str(MAIN)]
    process = subprocess.Popen(command, env=variables, pass_fds=[write], stdout=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as lines:

        def report() -> dict[str, str]:
            process.send_signal(signal.SIGUSR1)
            modules: dict[str, str] = json.loads(lines.readline())
            return modules

        try:
            yield api, report, process.pid
        finally:
            process.kill()
            process.wait()
            api.close()


def imported_at_start(function: str, python: Path) -> dict[str, str]:
    """Names of modules with their files, once the function requests its first event.

    With keys in variables: with keys in SSM, a thread already imports for what follows. python:
    without packages, as Lambda's.
    """
    with started(function, python, OPENAI_API_KEY=KEY, FORWARD_KEY=KEY) as (api, report, _):
        api.expect_next()
        return report()


def imported_until_the_first_byte(function: str, python: Path, folder: Path) -> dict[str, str]:
    """The same once the first client has the first byte of its answer. folder: an empty one."""
    authority = CertificateAuthority(folder)
    (folder / "certifi").mkdir()
    (folder / "certifi/cacert.pem").write_bytes(authority.file.read_bytes())
    (folder / "certifi/__init__.py").touch()
    deployment = Deployment(answers_after_a_look=function == "default")
    with scripted_upstream(authority.serving("127.0.0.1")) as server:
        server.script = deployment
        environ = environ_of(server.url.replace("http", "https", 1).removesuffix("/v1"))
        environ["PYTHONPATH"] = f"{folder}{os.pathsep}{LAYERS}"
        with started(function, python, **environ) as (api, report, _):
            api.give_event(json.dumps(EVENTS[function]).encode())
            _wait_for_the_first_byte(function, api, deployment)
            modules = report()
            deployment.is_over.set()
    return modules


def _wait_for_the_first_byte(function: str, api: RuntimeApi, deployment: Deployment) -> None:
    if function == "stream":
        api.read_head()
        while b"Hi" not in api.read_chunk():
            pass
    elif function in POSTS_FRAMES:
        api.expect_answer()
        assert deployment.posted.wait(PATIENCE_S)
    else:
        assert json.loads(api.read_request().body)["statusCode"] == HTTPStatus.OK


def environ_of(endpoint: str) -> dict[str, str]:
    return {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL": endpoint,
        "API_GW_ENDPOINT": f"{endpoint}/dev",
        "OPENAI_BASE_URL": f"{endpoint}/v1",
        "OPENAI_API_KEY_PARAMETER": "/sluice/dev/openai-api-key",
        "FORWARD_KEY_PARAMETER": "/sluice/dev/forward-key",
    }
