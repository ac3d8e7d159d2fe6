"""The traces of the functions, as an X-Ray daemon on a real socket receives them."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sluice.authentication import principal_of_key
from tests.awslambda.scripted_runtime_api import wait_until_asleep
from tests.functions.cloud import Cloud, cloud
from tests.functions.first_byte import EVENTS, KEY, message, started
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    PATIENCE_S,
    chunk,
    delta,
    dies_after,
    endless,
    hangs_up,
    replies,
    says,
    sse,
)
from tests.segment_documents import Daemon, Document, daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.awslambda.scripted_runtime_api import RuntimeApi
    from tests.scripted_upstream import Script

TRACE, SEGMENT = "1-6748a1b2-0123456789abcdef01234567", "89abcdef01234567"
SAMPLED = f"Root={TRACE};Parent={SEGMENT};Sampled=1;Lineage=1:a87bd80c:1"
PYTHON = Path(sys.executable)
SECRETS = ("Hi", "Hello", KEY, "/v1/chat/completions")
"""What no trace may hold: the prompt, the answer, the key, a path."""
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
PIECES = (delta("Hello"), sse({"choices": [], "usage": USAGE}), sse("[DONE]"))
TAKEN = replies(200, {})


def answers(_request: object, connection: Any) -> None:
    connection.sendall(EVENT_STREAM_HEAD + b"".join(map(chunk, PIECES)) + LAST_CHUNK)


class Traced:
    """One function under a daemon. modules: what its process has imported by now."""

    def __init__(
        self,
        place: Cloud,
        api: RuntimeApi,
        xray: Daemon,
        modules: Callable[[], dict[str, str]],
        process: int,
    ) -> None:
        self._place, self._process = place, process
        self.api, self.xray, self.modules = api, xray, modules

    def give(self, event: bytes, header: str | None = SAMPLED) -> None:
        """Give it an event, for which it waits until it has read its parameters."""
        self.api.give_event(
            event, **({} if header is None else {"Lambda_Runtime_Trace_Id": header})
        )
        wait_until_asleep(self._process)
        self._place.may_read.set()

    def answer_to(self, event: bytes, header: str | None = SAMPLED) -> None:
        self.give(event, header)
        self.api.expect_answer()

    def has_sdk(self) -> bool:
        return "aws_xray_sdk" in self.modules()

    def trace(self) -> list[Document]:
        """The documents of an invocation that has ended, below Lambda's segment."""
        self.api.expect_next()
        found = self.xray.documents()
        text = json.dumps(found)
        assert not [secret for secret in SECRETS if secret in text]
        ids = {SEGMENT} | {document["id"] for document in found}
        for document in found:
            assert document["trace_id"] == TRACE
            assert document["parent_id"] in ids
        return found


@contextmanager
def traced(function: str, place: Cloud, **environ: str) -> Iterator[Traced]:
    with daemon() as xray:
        variables = {**place.environ(), "AWS_XRAY_DAEMON_ADDRESS": xray.address, **environ}
        with started(function, PYTHON, **variables) as (api, modules, process):
            yield Traced(place, api, xray, modules, process)


def event(function: str) -> bytes:
    return json.dumps(EVENTS[function]).encode()


def by_name(documents: list[Document]) -> dict[str, Document]:
    """The last document of each name."""
    return {document["name"]: document for document in documents}


def flags(document: Document) -> set[str]:
    return {"throttle", "error", "fault"} & document.keys()


def test_streamed_answer_has_a_trace_with_the_times_of_its_parts() -> None:
    with cloud(answers, TAKEN) as place, traced("stream", place) as function:
        began = time.time()
        function.give(event("stream"))
        body = function.api.read_request().body
        assert b"Hello" in body
        assert not function.has_sdk()  # the client has its last byte
        function.api.reply(202)
        parts = by_name(function.trace())
        ended = time.time()
        assert function.has_sdk()
    assert parts.keys() == {"parameters", "connection", "upstream", "delivery"}
    parameters, upstream = parts["parameters"], parts["upstream"]
    assert parameters["start_time"] <= place.seen_at["GetParameters"] <= parameters["end_time"]
    assert upstream["start_time"] <= place.seen_at["model"] <= upstream["end_time"]
    assert parts["connection"]["end_time"] <= place.seen_at["model"]
    assert began <= upstream["start_time"] <= parts["delivery"]["start_time"]
    assert parts["delivery"]["end_time"] <= ended
    assert parameters["namespace"] == "aws"
    assert parameters["aws"] == {"operation": "GetParameters", "region": "us-east-1"}
    assert upstream["namespace"] == "remote"
    found = upstream["annotations"]
    first_byte = upstream["start_time"] + found.pop("time_to_first_byte_ms") / 1000
    assert place.seen_at["model"] <= first_byte + 0.001 <= upstream["end_time"] + 0.002
    assert found == {
        "provider": "openai",
        "model": "m",
        "status": 200,
        "retries": 0,
        "key_name": principal_of_key(KEY).name,
        "input_tokens": 7,
        "output_tokens": 2,
        "upstream_request_id": "req_upstream",
    }
    assert upstream["http"]["response"] == {"status": 200}
    assert parts["delivery"]["annotations"] == {"transport": "url", "outcome": "ok"}
    assert parts["delivery"]["metadata"]["default"]["bytes"] == len(b"".join(PIECES))
    assert not any(flags(part) for part in parts.values())


@pytest.mark.parametrize(
    "environ_and_header",
    [
        ({}, SAMPLED.replace("Sampled=1", "Sampled=0")),
        ({}, f"Root={TRACE}"),
        ({}, None),
        ({"AWS_XRAY_SDK_ENABLED": "false"}, SAMPLED),
    ],
)
def test_request_that_is_not_sampled_imports_and_sends_nothing(
    environ_and_header: tuple[dict[str, str], str | None],
) -> None:
    environ, header = environ_and_header
    with cloud(answers, TAKEN) as place, traced("stream", place, **environ) as function:
        function.answer_to(event("stream"), header)
        assert function.trace() == []
        assert not function.has_sdk()
        assert "sluice.xray" not in function.modules()


def test_second_invocation_has_a_trace_of_its_own() -> None:
    other = SAMPLED.replace("6748a1b2", "6748a1b3")
    with cloud(answers, TAKEN) as place, traced("stream", place) as function:
        function.answer_to(event("stream"))
        assert "parameters" in by_name(function.trace())
        function.answer_to(event("stream"), other)
        function.api.expect_next()
        found = function.xray.documents()
    assert {document["trace_id"] for document in found} == {"1-6748a1b3-0123456789abcdef01234567"}
    assert "parameters" not in by_name(found)  # read before


BROKEN = dies_after(EVENT_STREAM_HEAD + chunk(delta("Hello")))
# What the model does; flags and annotations of the last attempt; flags and outcome of the delivery.
FAILURES: dict[str, tuple[Script, set[str], dict[str, object], set[str], str]] = {
    "throttled": (
        replies(429, {"error": {"message": "Slow down"}}, retry_after="0"),
        {"error", "throttle"},
        {"status": 429, "error": "upstream_refused"},
        {"error", "throttle"},
        "upstream_refused",
    ),
    "failing": (
        replies(500, {}),
        {"fault"},
        {"status": 500, "error": "upstream_refused"},
        {"fault"},
        "upstream_refused",
    ),
    "broken": (
        BROKEN,
        {"fault"},
        {"status": 200, "error": "upstream_incomplete"},
        set(),
        "upstream_incomplete",
    ),
    "hanging up": (
        hangs_up,
        {"fault"},
        {"error": "upstream_unreachable"},
        {"fault"},
        "upstream_unreachable",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("function", ["stream", "default"])
def test_failure_of_the_upstream_marks_its_attempts(name: str, function: str) -> None:
    model, of_upstream, annotations, of_delivery, outcome = FAILURES[name]
    with cloud(model, TAKEN) as place, traced(function, place, UPSTREAM_RETRIES="1") as process:
        process.answer_to(event(function))
        trace = process.trace()
    attempts = [each for each in trace if each["name"] == "upstream"]
    assert len(attempts) == (1 if name == "broken" else 2)
    opened = [each["start_time"] for each in trace if each["name"] == "connection"]
    assert len(opened) == len(set(opened)) > 0
    for attempt in attempts:
        assert flags(attempt) == of_upstream
    assert attempts[-1]["annotations"].items() >= annotations.items()
    assert ("status" in attempts[-1]["annotations"]) == ("status" in annotations)
    delivery = by_name(trace)["delivery"]
    assert delivery["annotations"]["outcome"] == outcome
    assert flags(delivery) == (of_delivery if function == "stream" else set())


def test_connection_that_was_refused_is_part_of_the_trace() -> None:
    with (
        cloud(answers, TAKEN) as place,
        traced("stream", place, OPENAI_BASE_URL="http://127.0.0.1:1/v1") as function,
    ):
        function.answer_to(event("stream"))
        parts = by_name(function.trace())
    for name in ("connection", "upstream"):
        assert flags(parts[name]) == {"fault"}
        assert parts[name]["annotations"]["error"] == "upstream_unreachable"
    assert parts["connection"]["parent_id"] == parts["upstream"]["id"]


def test_trace_of_an_answer_whose_reader_is_gone_is_sent() -> None:
    with cloud(endless("Hello"), TAKEN) as place, traced("stream", place) as function:
        function.give(event("stream"))
        function.api.read_head()
        function.api.drop_connection()
        function.api.read_request()  # the error that ends the stream
        function.api.reply(202)
        parts = by_name(function.trace())
    for name in ("upstream", "delivery"):
        assert parts[name]["annotations"]["error"] == "ResponseStreamBroken"


def test_websocket_answer_has_a_trace_with_one_delivery() -> None:
    looked = threading.Event()  # answers that are over before have no look at the table

    def answers_after_a_look(request: object, connection: Any) -> None:
        assert looked.wait(PATIENCE_S)
        answers(request, connection)

    with cloud(answers_after_a_look, TAKEN, looked) as place, traced("default", place) as function:
        function.answer_to(event("default"))
        parts = by_name(function.trace())
    assert {"upstream", "delivery", "parameters", "connection", "store"} == parts.keys()
    delivery, store = parts["delivery"], parts["store"]
    assert delivery["start_time"] <= place.seen_at["post"] <= delivery["end_time"]
    assert delivery["aws"]["operation"] == "PostToConnection"
    assert delivery["annotations"] == {"transport": "websocket", "kind": "chat", "outcome": "ok"}
    assert delivery["metadata"]["default"]["calls"] >= delivery["metadata"]["default"]["frames"]
    table = {"operation": "BatchGetItem", "table_name": "sluice-dev-state", "region": "us-east-1"}
    assert store["aws"] == table
    assert store["start_time"] <= place.seen_at["BatchGetItem"] <= store["end_time"]


def test_look_into_the_cache_and_the_keeping_of_an_answer_are_parts_of_the_trace() -> None:
    with (
        cloud(says("Hello"), TAKEN) as place,
        traced("stream", place, CACHE_CHAT_COMPLETION="true", CACHE_TABLE="c") as function,
    ):
        function.answer_to(event("stream"))
        look, kept = (part for part in function.trace() if part["name"] == "cache")
    table = {"table_name": "c", "region": "us-east-1"}
    assert look["aws"] == {"operation": "GetItem", **table}
    assert kept["aws"] == {"operation": "PutItem", **table}
    assert look["start_time"] <= place.seen_at["GetItem"] <= look["end_time"]


def test_client_that_is_gone_from_its_websocket_is_no_fault() -> None:
    gone = replies(410, {"message": "Gone"})
    with cloud(endless("Hello"), gone) as place, traced("default", place) as function:
        function.answer_to(event("default"))
        parts = by_name(function.trace())
    for name in ("upstream", "delivery"):
        assert flags(parts[name]) == {"error"}
        assert parts[name]["annotations"]["error"] == "connection_gone"
    assert parts["delivery"]["annotations"]["outcome"] == "connection_gone"


@pytest.mark.parametrize(
    ("function", "sent", "names"),
    [
        ("connect", EVENTS["connect"], ["parameters", "store"]),
        ("disconnect", EVENTS["disconnect"], ["store"]),
        ("control", message({"action": "cancel", "id": "1"}), ["store"]),
        ("control", message({"action": "ping"}), ["delivery"]),
    ],
)
def test_small_functions_send_traces_after_their_answers(
    function: str, sent: dict[str, object], names: list[str]
) -> None:
    with cloud(answers, TAKEN) as place, traced(function, place) as process:
        process.give(json.dumps(sent).encode())
        process.api.read_request()
        assert not process.has_sdk()
        process.api.reply(202)
        found = process.trace()
    assert [document["name"] for document in found] == names
    if "store" in names:
        assert by_name(found)["store"]["aws"]["operation"] == "PutItem"
