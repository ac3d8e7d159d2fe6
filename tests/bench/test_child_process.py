from __future__ import annotations

import sys
from functools import partial

import pytest

from bench.measurement.child_process import (
    StartFailedError,
    cost_until,
    cost_until_exit,
    first_request,
)

ASK = """
import socket, sys
host, port = sys.argv[1].split(":")
connection = socket.create_connection((host, int(port)))
connection.sendall(b"GET /next HTTP/1.1\\r\\n")
connection.sendall(b"Host: x\\r\\n\\r\\n")
connection.recv(1)
"""


def test_process_is_measured_until_its_first_request() -> None:
    with first_request() as event:
        command = [sys.executable, "-c", ASK, event.address]
        cost = cost_until(command, {}, partial(event.wait, b"GET /next"))
    assert cost.cpu_ms > 0
    assert cost.wall_ms > 0
    assert cost.rss_mb > 1


def test_another_request_than_expected_is_a_failed_start() -> None:
    with first_request() as event:
        command = [sys.executable, "-c", ASK, event.address]
        with pytest.raises(StartFailedError, match=r"expected a request b'POST', found b'GET"):
            cost_until(command, {}, partial(event.wait, b"POST"))


def test_process_is_measured_to_its_end() -> None:
    cost = cost_until_exit([sys.executable, "-c", ""], {})
    assert cost.wall_ms > 0
    assert cost.cpu_ms > 0
