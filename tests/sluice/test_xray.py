"""What X-Ray gets of a request's parts, by a process as on Lambda: AWS's SDK stays out of ours."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tests.child_environment import LAYERS, MEASURED, ROOT
from tests.segment_documents import Document, daemon

TRACE, SEGMENT = "1-6748a1b2-0123456789abcdef01234567", "0123456789abcdef"
PROGRAM = """
import time
from sluice.errors import *
from sluice.xray import Part, send_parts
now = time.time()
def part(name, began, ended, error=None, **facts):
    return Part(name, now + began, now + ended, facts, error)
"""


def sent(parts: str, request: str = "{}", trace: str = TRACE, **environ: str) -> list[Document]:
    """The documents of parts that are given as Python's source."""
    with daemon() as xray:
        send = f"send_parts({trace!r}, {SEGMENT!r}, {parts}, {request})"
        subprocess.run(
            [sys.executable, "-c", PROGRAM + send],
            env={
                **MEASURED,
                "PYTHONPATH": LAYERS,
                "LAMBDA_TASK_ROOT": str(ROOT),
                "AWS_XRAY_DAEMON_ADDRESS": xray.address,
                "AWS_REGION": "eu-west-1",
                **environ,
            },
            check=True,
        )
        return xray.documents()


def flags(document: dict[str, Any]) -> list[str]:
    return [flag for flag in ("throttle", "error", "fault") if flag in document]


def test_failures_are_marked_as_x_ray_does() -> None:
    cases = {
        'UpstreamRefused(429, {}, b"", None)': (["throttle", "error"], "upstream_refused"),
        'UpstreamRefused(404, {}, b"", None)': (["error"], "upstream_refused"),
        'UpstreamRefused(503, {}, b"", None)': (["fault"], "upstream_refused"),
        'UpstreamSilent("late")': (["fault"], "upstream_timeout"),
        'Cancelled("enough")': (["error"], "cancelled"),
        'ConnectionGone("gone")': (["error"], "connection_gone"),
        'StateUnavailable("throttled")': (["fault"], "state_unavailable"),
        'ValueError("a text of the client")': (["fault"], "ValueError"),
        "None": ([], None),
    }
    parts = ", ".join(f'part("upstream", {n}, {n + 1}, {error})' for n, error in enumerate(cases))
    found = sent(f"[{parts}]")
    assert [(flags(each), each.get("annotations", {}).get("error")) for each in found] == list(
        cases.values()
    )
    assert [each.get("http", {}).get("response") for each in found[:4]] == [
        {"status": 429},
        {"status": 404},
        {"status": 503},
        None,
    ]
    assert "a text of the client" not in str(found)


def test_connection_is_below_the_attempt_that_opened_it() -> None:
    found = sent(
        '[part("connection", 0, 1), part("upstream", 2, 5), part("connection", 2, 3),'
        ' part("upstream", 6, 9), part("connection", 6, 7), part("delivery", 6, 9)]'
    )
    first, second = (each["id"] for each in found if each["name"] == "upstream")
    assert [(each["name"], each["parent_id"]) for each in found if each["name"] != "upstream"] == [
        ("connection", SEGMENT),  # opened ahead
        ("connection", first),
        ("connection", second),
        ("delivery", SEGMENT),
    ]


def test_last_attempt_has_the_tokens_by_the_names_of_either_api() -> None:
    for usage in (
        '{"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}',
        '{"input_tokens": 7, "output_tokens": 2}',
    ):
        facts = f'{{"usage": {usage}, "principal": "key-1", "retries": 1, "outcome": "ok"}}'
        failed, last = sent('[part("upstream", 0, 1), part("upstream", 2, 3)]', facts)
        assert "annotations" not in failed
        counts = {"input_tokens": 7, "output_tokens": 2}
        assert last["annotations"] == {**counts, "key_name": "key-1", "retries": 1}


def test_urls_lose_what_may_hold_a_secret_and_long_texts_their_end() -> None:
    url = '"https://user:secret@[::1]:8443/v1/secret?key=secret"'
    (found,) = sent(f'[part("upstream", 0, 1, url={url}, method="POST", model="\\u8a9e" * 300)]')
    assert found["http"]["request"] == {"url": "https://[::1]:8443", "method": "POST"}
    assert found["annotations"]["model"] == "\u8a9e" * 250
    assert "secret" not in str(found)


def test_store_is_an_aws_service_only_if_it_is_a_table() -> None:
    tables = {"STATE_TABLE": "store", "CACHE_TABLE": "cache"}
    for name in ("store", "cache"):
        parts = f'[part("{name}", 0, 1, operation="PutItem")]'
        (table,) = sent(parts, **tables)
        (file,) = sent(parts, **tables, STATE_FILE="f")
        assert table["namespace"] == "aws"
        assert table["aws"] == {"operation": "PutItem", "table_name": name, "region": "eu-west-1"}
        assert ("namespace" in file, "aws" in file) == (False, False)


def test_part_without_a_length_and_a_trace_without_a_valid_id() -> None:
    (document,) = sent('[part("store", 1, 1, operation="PutItem")]')
    assert document["end_time"] > document["start_time"]
    for trace in ("1-2-3", "", TRACE.upper(), f"{TRACE}\n"):
        assert sent('[part("store", 0, 1)]', trace=trace) == []
