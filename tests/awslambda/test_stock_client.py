"""AWS's own Python client is the judge: what ordinary handlers post and log is the same here.

Both clients run as processes on scripted Runtime APIs and get the same events.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.awslambda.scripted_runtime_api import (
    BOOTSTRAP,
    Runtime,
    running,
    source_event,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None,
    reason="awslambdaric is not installed: AWS publishes it for Linux only",
)

OURS = (BOOTSTRAP, sys.executable, "")
STOCK_CLIENT = (sys.executable, "-m", "awslambdaric", "app.handler")
UNMEASURED = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
"""coverage's signal handler would keep AWS's client, which waits in C, from being ended."""
PYTHON_3_13 = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}
FRAMES_OF_A_CLIENT = re.compile(r'\n\xa0\xa0File "[^\n]*awslambda[^\n]*\n\xa0{4}[^\n]*')
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
FUNCTION = """
import array, collections, dataclasses, datetime, decimal, enum, http, logging, simplejson
import types, typing, uuid
from decimal import Decimal
Point = collections.namedtuple("Point", "x y")
class Typed(typing.NamedTuple):
    a: int
    b: object = Decimal("1.10")
class Text(str): pass
class Whole(int):
    __repr__ = __str__ = lambda self: "mine"
class Real(float):
    __repr__ = __str__ = lambda self: "mine"
class Bytes(bytes): pass
class Items(list): pass
class Pair(tuple): pass
class Fields(dict): pass
class Exact(Decimal): pass
class Color(enum.Enum): RED = 1
class Level(enum.IntEnum): LOW = 3
class Name(enum.StrEnum): ADA = "ada"
class Ratio(float, enum.Enum): HALF = 0.5
class AsDict:
    def __init__(self, fields): self.fields = fields
    def _asdict(self): return self.fields
class Unhelpful(list):
    def _asdict(self): raise TypeError("no")
class Failing:
    def _asdict(self): raise LookupError("no")
@dataclasses.dataclass
class Data: a: int = 1
circle = []
circle.append(circle)
def nested(depth, value):
    for level in range(depth): value = [value] if level % 2 else {"k": value}
    return value
def handler(event, context):
    source = "def served(event, context):\\n    " + event["source"]
    exec(compile(source, "served.py", "exec"), globals())
    return served(event["event"], context)
"""
RESULTS = r"""
Decimal("5") Decimal("5.0") Decimal("1.10") Decimal("12345678901234567890") Decimal("1E+5")
Decimal("0.12345678901234567890123456789012345678") Decimal("1e-10") Decimal("-0") Decimal("NaN")
Decimal("-NaN") Decimal("sNaN") Decimal("Infinity") Decimal("-Infinity") Exact("1.50") Text("s")
Whole(3) Real(1.5) Bytes(b"q") Items([1]) Pair((1,2)) Fields(a=1) Level.LOW Name.ADA Ratio.HALF
http.HTTPStatus.OK Color.RED Point(1,2) Point Typed(1) AsDict({"a":1}) AsDict([1]) Unhelpful([1])
Failing() Data() None True 10**30 2**53+1 10**5000 float("nan") float("inf") -float("inf") 1e22
-0.0 0.1 "é\u2028\x7f\0\"\\" b"xyz" b"\xff" b"" bytearray(b"x") memoryview(b"x")
simplejson.RawJSON("[1]") array.array("i",[1]) set() {1} frozenset() range(3) iter([])
(lambda:(yield))() {}.keys() object() object len types 3j ... datetime.date(2026,1,1)
uuid.UUID(int=1) types.SimpleNamespace(a=1) types.MappingProxyType({}) collections.deque([1])
collections.OrderedDict(a=Point(1,2)) collections.Counter("ab") collections.UserDict(a=1)
collections.defaultdict(list,a=[Decimal(1)]) circle {"k":circle} [Point(circle,1)] () [] {} [()]
{None:1} {True:1} {1.5:1} {float("nan"):1} {1:1,"1":2} {b"k":1} {b"\xff":1} {Text("k"):1}
{Level.LOW:1} {Name.ADA:1} {Whole(7):1} {Real(2.5):1} {Decimal(1):1} {(1,):1} {Color.RED:1}
{"é":"\U0001d11e"} nested(900,1) nested(900,Decimal("1.0")) nested(900,Point(1,2))
""".split()  # noqa: SIM905 -- a list of 100 lines would be harder to read
STATEMENTS = [
    "raise ValueError('one\\ntwo é')",
    "raise type('Own', (Exception,), {})",
    "raise KeyError('k')",
    "print('printed', end=' '); print('text')",
    "context.log('from the context')",
    "logging.warning('one\\ntwo')",
    "logging.error('%s', 'text', extra={'user': 7, 'level': 'mine', 'thing': len})",
    "logging.warning({'a': Decimal(1)})",
    "logging.log(35, 'between'); logging.critical('worst'); logging.info('not by default')",
    "try: 1 / 0\n    except ZeroDivisionError: logging.exception('oh')",
    "logging.getLogger('mine').error('é\\u2028')",
    "return repr(context)",
    "return [context.identity, context.client_context].__repr__()",
    "return context.w3c()",
    "return event",
]
CONTEXTS = [
    "",
    "{",
    "null",
    "[1]",
    '"x"',
    "5",
    '{"client": null}',
    '{"client": {}}',
    '{"client": "x"}',
    '{"client": {"app_title": "é"}, "custom": {"k": 1}, "env": {"e": 2}, "other": 3}',
    '{"w3c": {"traceparent": "00-1-2-01", "tracestate": 5, "baggage": "b", "other": "o"}}',
    '{"w3c": "x"}',
    '{"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}',
]
LOG_SETTINGS = {
    "text": {},
    "text with a level": {"AWS_LAMBDA_LOG_LEVEL": "ERROR"},
    "JSON": {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "TRACE"},
    "JSON with an unknown level": {"AWS_LAMBDA_LOG_FORMAT": "json", "AWS_LAMBDA_LOG_LEVEL": "X"},
}


@contextmanager
def both(folder: Path, **variables: str) -> Iterator[tuple[Runtime, Runtime]]:
    """AWS's client and ours with the same function."""
    commands: dict[str, dict[str, Any]] = {
        "stock": {"command": STOCK_CLIENT, **UNMEASURED},
        "ours": {},
    }
    with ExitStack() as stack:
        clients = []
        for name, command in commands.items():
            own = folder / name
            own.mkdir()
            settings = {**PYTHON_3_13, **variables, **command}
            clients.append(stack.enter_context(running(own, FUNCTION, **settings)))
        yield clients[0], clients[1]


def assert_same(clients: tuple[Runtime, Runtime], statements: str, **headers: str) -> None:
    stock, ours = (observed(client, statements, headers) for client in clients)
    assert ours == stock, statements


def observed(client: Runtime, statements: str, headers: dict[str, str]) -> list[Any]:
    """What a client posts for one event, and what it logs."""
    client.new_output()
    logged = len(client.log.messages)
    event = source_event(statements, {"n": 1})
    client.api.give_event(event, Content_Type="application/json", **headers)
    request = client.api.read_request()
    client.api.reply(202)
    out = client.new_output().split("\n")
    messages = client.log.messages[logged:]
    is_error = request.target.endswith("/error")
    return [
        request.target,
        request.header("content-type"),
        normal(request.body.decode(), client) if is_error else request.body,
        out[: len(out) - 1 - len(messages)],
        [(kind, normal(message, client)) for kind, message in messages],
    ]


def normal(text: str, client: Runtime) -> str:
    """A message without its time, its folder and the client's own frames."""
    text = TIMESTAMP.sub("TIME", text.replace(str(client.out.parent), "FOLDER"))
    if not text.startswith("{"):
        return FRAMES_OF_A_CLIENT.sub("", text)
    document = json.loads(text)
    if "stackTrace" in document:
        kept = [frame for frame in document["stackTrace"] if "awslambda" not in frame]
        document["stackTrace"] = kept
    return json.dumps(document)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Runtime, Runtime]]:
    with both(tmp_path_factory.mktemp("clients")) as clients:
        yield clients


@pytest.mark.parametrize("form", ["{}", "[{}]", '{{"k": {}}}', "Point({}, 1)"])
def test_results_are_encoded_as_by_the_stock_client(
    clients: tuple[Runtime, Runtime], form: str
) -> None:
    for value in RESULTS:
        assert_same(clients, f"return {form.format(value)}")


@pytest.mark.parametrize("settings", LOG_SETTINGS)
def test_statements_post_and_log_what_they_do_with_the_stock_client(
    tmp_path: Path, settings: str
) -> None:
    with both(tmp_path, **LOG_SETTINGS[settings]) as clients:
        for statements in STATEMENTS:
            assert_same(clients, statements)


@pytest.mark.parametrize(
    "name", ["Lambda_Runtime_Client_Context", "Lambda_Runtime_Cognito_Identity"]
)
def test_contexts_are_read_as_by_the_stock_client(
    clients: tuple[Runtime, Runtime], name: str
) -> None:
    for value in CONTEXTS:
        assert_same(clients, "return [repr(context), context.w3c()]", **{name: value})


def test_python_3_11_escapes_what_is_not_ascii(tmp_path: Path) -> None:
    with both(tmp_path, AWS_EXECUTION_ENV="AWS_Lambda_python3.11") as clients:
        assert_same(clients, "return {'é': '\\U0001d11e\\x7f', 'd': Decimal(1)}")


@pytest.mark.parametrize("statements", ["raise ValueError('é')", "print('.', end='')"])
def test_output_without_telemetry_is_that_of_the_stock_client(
    tmp_path: Path, statements: str
) -> None:
    with both(tmp_path, _LAMBDA_TELEMETRY_LOG_FD="") as clients:
        seen = []
        for client in clients:
            client.api.give_event(source_event(statements), Content_Type="application/json")
            client.api.read_request()  # the output is there before its reply
            seen.append(client.out.read_bytes().replace(bytes(client.out.parent), b"FOLDER"))
    assert seen[1] == seen[0] != b""


@pytest.mark.parametrize(
    ("source", "handler"),
    [
        ("import no_such_module", "app.handler"),
        ("def handler(:", "app.handler"),
        ("x = 1", "app.handler"),
        ("x = 1", "sys.handler"),
        ("x = 1", "folder/module.handler"),
    ],
)
def test_start_fails_as_with_the_stock_client(tmp_path: Path, source: str, handler: str) -> None:
    reports = []
    for name, command in (("stock", (*STOCK_CLIENT[:-1], handler)), ("ours", OURS)):
        (tmp_path / name).mkdir()
        with running(tmp_path / name, source, handler, command) as client:
            request = client.api.read_request()
            client.api.reply(202)
            client.finish()
            told = [normal(message, client) for _, message in client.log.messages]
            reports.append([request.target, normal(request.body.decode(), client), told[-1]])
    assert reports[1] == reports[0]
