"""The queries of docs and dashboard can be read, and name what the log has."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.child_environment import ROOT
from tests.documentation.insights import DISCOVERED, InvalidQueryError, read_query
from tests.end_to_end.curl import curl
from tests.patient_client import connect
from tests.running_stack import RunningStack, ready_service
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    chunk,
    delta,
    one_after_another,
    refused_url,
    scripted_upstream,
    sse,
)
from tests.test_documentation import PAGES

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from tests.scripted_upstream import UpstreamRequest

QUERY = re.compile(r"^<!-- insights -->\n```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPERATE = PAGES[ROOT / "docs" / "operate.md"]
ALARMS = yaml.safe_load((ROOT / "deployment" / "alarms.yml").read_text("utf-8"))
WIDGETS = yaml.safe_load((ROOT / "deployment" / "dashboard.yml").read_text("utf-8"))
ON_PAGES = [(page.name, query) for page, text in PAGES.items() for query in QUERY.findall(text)]
ON_THE_DASHBOARD = [
    (widget["properties"]["title"], widget["properties"]["query"])
    for widget in WIDGETS
    if widget["type"] == "log"
]
KEY = "my-own-key-for-clients"
PRICE = '{"m":{"input":1,"output":2}}'
USAGES = (
    {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
)


def answers(usage: dict[str, int]) -> Any:
    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        events = delta("Hello") + sse({"choices": [], "usage": usage}) + sse("[DONE]")
        connection.sendall(EVENT_STREAM_HEAD + chunk(events) + LAST_CHUNK)

    return script


@pytest.fixture(scope="module")
def logged() -> Iterator[set[str]]:
    """The fields of the lines that a stack writes: answers, a failure, refusals, a connection."""
    with (
        scripted_upstream() as upstream,
        ready_service(
            OPENAI_BASE_URL=upstream.url,
            EXTRA_BASE_URL=refused_url(),
            EXTRA_ROUTE_PREFIX="/closed",
            UPSTREAM_RETRIES="0",
            GLOBAL_RATE_LIMIT="100/minute",
            MODEL_PRICES=PRICE,
            FUNCTION_URL_AUTH="none",
            FORWARD_KEY=KEY,
        ) as stack,
    ):
        upstream.script = one_after_another(*map(answers, USAGES))
        body = json.dumps({"model": "m", "messages": [], "stream": True})
        for path in ("/v1/chat/completions", "/v1/chat/completions", "/closed/completions"):
            curl(f"{stack.url}{path}", "-H", f"api-key: {KEY}", "-d", body)
        curl(f"{stack.url}/v1/models", "-H", "api-key: another")
        with connect(stack.websocket_url) as client:
            client.send(json.dumps({"action": "chat", "id": "1", "request": json.loads(body)}))
            while not json.loads(client.recv()).get("done"):
                pass
        stack.wait_line('"transport": "websocket"')
        yield {name for line in lines_of(stack) for name in flat(line)}


def lines_of(stack: RunningStack) -> Iterator[dict[str, Any]]:
    for line in stack.lines:
        function, _, text = line.partition(" | ")
        if function in ("connect", "default", "stream") and text.startswith("{"):
            yield json.loads(text)


def flat(value: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the names as Logs Insights has them: usage.total_tokens."""
    for name, inner in value.items():
        yield f"{prefix}{name}"
        if isinstance(inner, dict):
            yield from flat(inner, f"{prefix}{name}.")


def test_every_query_can_be_read_and_names_fields_of_the_log(logged: set[str]) -> None:
    assert ON_PAGES
    assert ON_THE_DASHBOARD
    of_keys = {"key_alias"}  # only a key with a record has it: tests/end_to_end/test_records.py
    for place, query in [*ON_PAGES, *ON_THE_DASHBOARD]:
        unknown = read_query(query).fields - logged - DISCOVERED - of_keys
        assert not unknown, f"{place}: {sorted(unknown)} are not in the log"


def test_every_alarm_has_a_runbook_with_a_query() -> None:
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", OPERATE, re.MULTILINE | re.DOTALL))
    assert sections.keys() - {"Alarms", "Queries"} == {alarm["alarm"] for alarm in ALARMS}
    for alarm in ALARMS:
        name = alarm["alarm"]
        assert QUERY.search(sections[name]), name
        (row,) = re.findall(rf"^\| \[{name}\]\(#{name.lower()}\) \|.*$", OPERATE, re.MULTILINE)
        is_off = row.endswith("| off |")
        assert is_off == ("option" in alarm), row


def test_queries_name_functions_that_write_a_log() -> None:
    service = (ROOT / "serverless.yml").read_text("utf-8")
    for named in re.findall(r"/aws/lambda/sluice-\{stage\}-(\w+)", OPERATE):
        assert f"\n  {named}:\n    handler:" in service


@pytest.mark.parametrize(
    "query",
    [
        "",
        "filter",
        "find a = 1",
        "filter a",
        "filter a == 1",
        "filter a = 1 |",
        "filter a like 'text",
        "filter missing(a)",
        "filter sum(a) > 1",
        "stats count() by a",
        "stats pct(a) by b",
        "stats sum(a by b",
        "fields a b",
        "sort a down",
        "limit many",
        "filter a = 1 | SOURCE 'b'",
    ],
)
def test_query_outside_the_language_is_rejected(query: str) -> None:
    with pytest.raises(InvalidQueryError):
        read_query(query)


def test_query_tells_fields_from_the_names_that_it_makes() -> None:
    query = read_query(
        "SOURCE 'g' | filter a.b like /x|y/ and (c in ['d'] or not ispresent(e))"
        " | stats sum(f) / 1000 as g by bin(5m), coalesce(h, i) as j | sort g desc | limit 5"
    )
    assert query.fields == {"a.b", "c", "e", "f", "h", "i"}
    assert query.columns == {"g", "j"}
