"""What each function imports: at its start, and as deployed until its client has the first byte.

Lambda bills for every import, and a user waits for it. A new module here needs a reason and its
cost in the commit.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.functions.first_byte import imported_at_start, imported_until_the_first_byte
from tests.packaging.lambda_layout import lone_python

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS = {"sluice", "awslambda", "functions"}
LISTED_VERSIONS = ((3, 11), (3, 12), (3, 13))
"""Versions of Python that import these modules of its own; later ones divide them differently."""
FUNCTIONS = ("connect", "disconnect", "control", "default", "stream")

# Python's own modules, beyond those that a bare Python has.
RUNTIME = (
    "__future__ _collections _functools _json _operator _socket _sre collections copyreg enum "
    "functools gc itertools json json.decoder json.encoder json.scanner keyword operator re "
    "re._casefix re._compiler re._constants re._parser reprlib types "
)
"""What every function has: the runtime and the settings need it."""
SOCKETS = "array binascii collections.abc contextlib errno math select selectors socket "
HASHES = "_hashlib "
TLS = (
    "_ssl _struct base64 importlib importlib._bootstrap importlib._bootstrap_external "
    "importlib.machinery ssl struct warnings "
)
THREADS = "_weakrefset threading " + ("warnings " if sys.version_info >= (3, 13) else "")
STANDARD_AT_START = {
    "connect": "",
    "disconnect": "",
    "control": SOCKETS + HASHES,
    "default": SOCKETS + HASHES + THREADS,
    "stream": SOCKETS,
}
STANDARD_UNTIL_THE_FIRST_BYTE = {
    "connect": SOCKETS + HASHES + TLS,
    "disconnect": "",
    "control": TLS,
    "default": TLS,
    "stream": HASHES + TLS,
}

# Modules of `sluice`.
SETTINGS = "authentication errors named_tuple request_log setting_values settings trace http.urls "
HTTP = "http.connection http.errors http.http1 http.opening http.transport "
STATE = "state.connections state.opening "
UPSTREAM = (
    "deadline key_ring secret_mask completions.answer completions.asking completions.event_stream "
    "completions.request completions.usage upstream.call upstream.client upstream.headers "
    "upstream.providers upstream.providers.openai upstream.reply upstream.targets "
)
WEBSOCKET = (
    "deadline digests error_body secret_mask text aws.sigv4 completions.request upstream.retries "
    "websocket.connections_api websocket.events websocket.posting websocket.request "
)
OWN_AT_START = {
    "connect": SETTINGS + STATE + "access.identity key_ring aws.parameters websocket.admission "
    "websocket.events",
    "disconnect": SETTINGS + STATE + "websocket.admission websocket.events",
    "control": SETTINGS + HTTP + STATE + WEBSOCKET + "websocket.control",
    "default": SETTINGS + HTTP + STATE + UPSTREAM + WEBSOCKET + "stop_signal access.identity "
    "aws.parameters "
    "completions.events completions.parsers completions.sse websocket.answer "
    "websocket.cancellation_watch websocket.delivery websocket.event_splitting websocket.frames "
    "websocket.gateway websocket.owners",
    "stream": SETTINGS
    + HTTP
    + UPSTREAM
    + "access.identity aws.parameters state.opening url.events url.gateway "
    "url.reply url.routes",
}
AWS = "digests aws.endpoints aws.errors aws.json_api aws.json_protocol aws.retries aws.sigv4 "
OWN_UNTIL_THE_FIRST_BYTE = {
    "connect": HTTP + AWS + "aws.ssm http.tls",
    "disconnect": "",
    "control": "http.tls",
    "default": AWS + "aws.ssm http.tls aws.attribute_values aws.dynamodb state.changes "
    "state.dynamodb state.expressions state.store",
    "stream": AWS + "aws.ssm http.tls",
}
"""`default` includes a look at the table: slow answers have one before their first frame."""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lone_python(tmp_path_factory.mktemp("python"))


def ours(modules: Mapping[str, str]) -> set[str]:
    return {
        name.removeprefix("sluice.")
        for name, file in modules.items()
        if name.startswith("sluice.") and holds_code(Path(file))
    }


def assert_standard(modules: Mapping[str, str], *listed: str) -> None:
    """All others but the runtime's, which have a test of their own, are the listed ones."""
    others = {name for name in modules if name.partition(".")[0] not in OURS}
    if sys.version_info[:2] in LISTED_VERSIONS:
        assert others == set(" ".join(listed).split())
    else:
        assert {name.partition(".")[0] for name in others} <= sys.stdlib_module_names


def holds_code(file: Path) -> bool:
    """Whether it is more than the docstring of a package."""
    return file.name != "__init__.py" or len(ast.parse(file.read_text("utf-8")).body) > 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_start_imports_what_is_listed_and_no_more(function: str, python: Path) -> None:
    modules = imported_at_start(function, python)
    assert ours(modules) == set(OWN_AT_START[function].split())
    assert_standard(modules, RUNTIME, STANDARD_AT_START[function])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_client_waits_for_what_is_listed_and_no_more(
    function: str, python: Path, tmp_path: Path
) -> None:
    modules = imported_until_the_first_byte(function, python, tmp_path)
    own = OWN_AT_START[function], OWN_UNTIL_THE_FIRST_BYTE[function]
    standard = RUNTIME, STANDARD_AT_START[function], STANDARD_UNTIL_THE_FIRST_BYTE[function]
    assert ours(modules) == set(" ".join(own).split())
    assert_standard(modules, *standard)
