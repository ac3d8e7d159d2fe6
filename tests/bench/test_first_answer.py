"""First answers of processes that ask a Runtime API over real sockets."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

from bench.measurement.child_process import StartFailedError
from bench.subjects.first_answer import first_answer
from bench.subjects.runtimes import Start

PROGRAM = """
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api.request("GET", "/2018-06-01/runtime/invocation/next")
event = api.getresponse().read()
api.request("POST", "/2018-06-01/runtime/invocation/x/response", b"answer to " + event)
api.getresponse().read()
"""
START = Start([sys.executable, "-c", PROGRAM], {})


def test_answer_is_timed_from_exec_and_from_the_event() -> None:
    answer = asyncio.run(first_answer(START, b"one", re.compile(b"answer to one")))
    assert answer.from_exec_ms > answer.from_event_ms > 0


def test_wrong_answer_ends_the_measurement() -> None:
    with pytest.raises(StartFailedError, match="answer to one"):
        asyncio.run(first_answer(START, b"one", re.compile(b"answer to two")))
