"""The costs in docs/deploy.md follow from named prices and assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from sluice.websocket.cancellation_watch import LookTimes
from tests.packaging.deploy_document import DOCUMENT, PARAMS, rows
from tests.packaging.packaged_service import CHECKOUT

# --- Prices of us-east-1 in USD, without the free tier; DOCUMENT says of when each is. ---

MILLION = 1_000_000
GB = 1_000_000_000  # bytes
PRICES = {
    "Lambda, GB-second on arm64": 0.0000133334,
    "Lambda, million requests": 0.20,
    "API Gateway, million WebSocket messages of up to 32 KB": 1.00,
    "API Gateway, million connection minutes": 0.25,
    "DynamoDB, million read request units": 0.125,
    "DynamoDB, million write request units": 0.625,
    "CloudWatch, GB of logs taken in": 0.50,
    "CloudWatch, custom metric and month": 0.30,
    "CloudWatch, metric of an alarm and month": 0.10,
    "CloudWatch, dashboard and month": 3.00,
    "X-Ray, million traces": 5.00,
    "Data transfer to the internet, GB": 0.09,
}

# --- Assumptions, each a row of DOCUMENT. ---

ANSWER_S = 10
TOKENS = 400
FRAMES = 400 + 1  # one a token, and the end
MESSAGES = FRAMES + 1  # with the request
ANSWERS_A_CONNECTION = 5
CONNECTION_MINUTES = 5
SMALL_FUNCTION_S = 0.1  # $connect and $disconnect, each
LOG_BYTES = 1_000  # an invocation
BYTES_OUT = 105_000  # an answer, to the client and to the provider
TRACES_AN_INVOCATION = 1
OUTCOMES = 8  # pairs of transport and outcome that occur in a month
KEYS_A_LOOK = 3  # opened, closed, cancelled
UNITS_A_READ = 0.5  # eventually consistent, up to 4 KB
FREE_GB_SECONDS = 400_000  # of Lambda's, each month
CALLBACKS_A_SECOND = 10_000  # API Gateway's quota for an account and region


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table of costs: USD for a million answers."""

    name: str
    url: float
    websocket: float


def looks(answer_s: float) -> int:
    """How often an answer of that length asks the table whether it is still wanted."""
    times = LookTimes()
    return 1 + int((answer_s - times.first) / times.next)


def cost_lines() -> list[Line]:
    """What a million answers cost by each transport."""
    invocations = 1 + 2 / ANSWERS_A_CONNECTION  # of a WebSocket answer
    answer = ANSWER_S * PARAMS["streamMemory"] / 1024
    doors = 2 / ANSWERS_A_CONNECTION * SMALL_FUNCTION_S * PARAMS["connectionMemory"] / 1024
    second = PRICES["Lambda, GB-second on arm64"] * MILLION
    reads = looks(ANSWER_S) * KEYS_A_LOOK * UNITS_A_READ
    log = LOG_BYTES * MILLION / GB * PRICES["CloudWatch, GB of logs taken in"]
    trace = TRACES_AN_INVOCATION * PRICES["X-Ray, million traces"]
    transfer = BYTES_OUT * MILLION / GB * PRICES["Data transfer to the internet, GB"]
    request = PRICES["Lambda, million requests"]
    minutes = CONNECTION_MINUTES / ANSWERS_A_CONNECTION
    return [
        Line("Lambda, time", answer * second, (answer + doors) * second),
        Line("Lambda, requests", request, request * invocations),
        Line(
            "API Gateway, messages",
            0,
            MESSAGES * PRICES["API Gateway, million WebSocket messages of up to 32 KB"],
        ),
        Line(
            "API Gateway, connection minutes",
            0,
            minutes * PRICES["API Gateway, million connection minutes"],
        ),
        Line("DynamoDB, reads", 0, reads * PRICES["DynamoDB, million read request units"]),
        Line(
            "DynamoDB, writes",
            0,
            2 / ANSWERS_A_CONNECTION * PRICES["DynamoDB, million write request units"],
        ),
        Line("CloudWatch, logs", log, log * invocations),
        Line("X-Ray", trace, trace * invocations),
        Line("Data transfer", transfer, transfer),
    ]


def total() -> Line:
    lines = cost_lines()
    return Line("together", sum(e.url for e in lines), sum(e.websocket for e in lines))


def observed(name: str) -> list[dict[str, Any]]:
    text = (CHECKOUT / "deployment" / f"{name}.yml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


def alarm_metrics() -> int:
    return sum(len(a.get("lambda", {})) + len(a.get("logged", {})) for a in observed("alarms"))


def custom_metrics() -> int:
    return len(observed("metrics")) - 1 + OUTCOMES  # Outcomes is one for each pair


def usd(amount: float) -> str:
    return f"{amount:,.2f}"


def small_usd(amount: float) -> str:
    return f"{amount:.4f}"


# --- The figures. ---


def test_prices_are_those_that_the_figures_are_computed_from() -> None:
    stated = {row[0]: row[1] for row in rows() if row[0] in PRICES}
    assert stated.keys() == PRICES.keys()
    for name, price in PRICES.items():
        assert float(stated[name]) == price, name


def test_assumptions_are_those_that_the_figures_are_computed_from() -> None:
    stated = {row[0]: row[1] for row in rows() if len(row) == 3}
    assumed = {
        "length of an answer": f"{ANSWER_S} s, {TOKENS} tokens",
        "memory while it lasts": f"{PARAMS['streamMemory']} MB",
        "frames of an answer": f"{FRAMES}",
        "answers on a connection": f"{ANSWERS_A_CONNECTION}, in {CONNECTION_MINUTES} minutes",
        "`$connect`, `$disconnect`": f"{SMALL_FUNCTION_S} s each, {PARAMS['connectionMemory']} MB",
        "looks into the table": f"{looks(ANSWER_S)}, of {KEYS_A_LOOK} items",
        "log": f"{LOG_BYTES:,} bytes an invocation",
        "traces": f"{TRACES_AN_INVOCATION} an invocation",
        "data transfer": f"{BYTES_OUT:,} bytes an answer",
    }
    for name, value in assumed.items():
        assert stated.get(name) == value, name


def test_costs_of_answers_are_computed() -> None:
    for line in [*cost_lines(), total()]:
        million = (usd(line.url), usd(line.websocket))
        thousand = (small_usd(line.url / 1000), small_usd(line.websocket / 1000))
        assert (line.name, thousand[0], thousand[1], *million) in rows(), (line, thousand)


def test_costs_of_a_month_are_computed() -> None:
    alarms = alarm_metrics() * PRICES["CloudWatch, metric of an alarm and month"]
    board = PRICES["CloudWatch, dashboard and month"]
    metrics = custom_metrics() * PRICES["CloudWatch, custom metric and month"]
    for row in (
        (f"{alarm_metrics()} metrics of {len(observed('alarms'))} alarms", usd(alarms)),
        ("the dashboard", usd(board)),
        ("together, while nobody asks", usd(alarms + board)),
        (f"{custom_metrics()} custom metrics, in a month with traffic", usd(metrics)),
    ):
        assert row in {found[:2] for found in rows()}, row


def test_sentences_about_costs_are_computed() -> None:
    free_answers = FREE_GB_SECONDS * 1024 // (ANSWER_S * PARAMS["streamMemory"])
    at_once = CALLBACKS_A_SECOND * ANSWER_S // TOKENS
    messages = next(e.websocket for e in cost_lines() if e.name == "API Gateway, messages")
    prose = " ".join(DOCUMENT.split())
    for sentence in (
        f"{messages / total().websocket:.0%} of a WebSocket answer".replace("%", " %"),
        f"{total().websocket / total().url:.0f} times what the same answer costs",
        f"from {at_once} such answers at once",
        f"{FREE_GB_SECONDS:,} GB-seconds ({free_answers:,} of the answers above)",
    ):
        assert sentence in prose, sentence
