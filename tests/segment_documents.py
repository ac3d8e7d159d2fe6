"""A socket that plays the X-Ray daemon, and AWS's rules for what it receives.

https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html
"""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DOCUMENT_BYTES = 64 * 1024
MAX_INDEXED_ANNOTATIONS = 50
CLOCK_SKEW_S = 60.0
HEADER = {"format": "json", "version": 1}
PATTERNS = {
    "id": r"[0-9a-f]{16}",
    "parent_id": r"[0-9a-f]{16}",
    "trace_id": r"1-[0-9a-f]{8}-[0-9a-f]{24}",
    "name": r"[\w\s.:/%&#=+\\@-]{1,200}",
    "type": "subsegment",
}
FIELDS = {
    *(*PATTERNS, "start_time", "end_time", "in_progress", "namespace", "annotations", "metadata"),
    *("aws", "http", "error", "fault", "throttle"),
}
HTTP_FIELDS: dict[str, dict[str, type]] = {
    "request": {"method": str, "url": str},
    "response": {"status": int, "content_length": int},
}
AWS_FIELDS = {"operation", "region", "table_name", "request_id", "account_id", "queue_url"}

Document = dict[str, Any]


class Daemon:
    """Receives datagrams. `address`: the value of AWS_XRAY_DAEMON_ADDRESS."""

    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver
        host, port = receiver.getsockname()
        self.address = f"{host}:{port}"

    def documents(self) -> list[Document]:
        """What was sent since the last call, checked and in the order of its begin."""
        found = []
        while True:
            try:
                datagram = self._receiver.recv(1 << 20)
            except BlockingIOError:
                break
            found.append(document_of(datagram))
        return sorted(found, key=lambda document: float(document["start_time"]))


@contextmanager
def daemon() -> Iterator[Daemon]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)  # noqa: FBT003 -- its one argument
        yield Daemon(receiver)


def document_of(datagram: bytes) -> Document:
    """The document of a datagram. It keeps the rules, or this fails."""
    header, _, body = datagram.partition(b"\n")
    assert json.loads(header) == HEADER
    assert len(body) < MAX_DOCUMENT_BYTES
    document: Document = json.loads(body)
    assert document.keys() <= FIELDS, document.keys() - FIELDS
    for name, pattern in PATTERNS.items():
        assert re.fullmatch(pattern, document[name]), (name, document[name])
    begin, end = document["start_time"], document["end_time"]
    assert isinstance(begin, float)
    assert isinstance(end, float)
    assert time.time() - CLOCK_SKEW_S < begin < end <= time.time() + CLOCK_SKEW_S
    assert not document.get("in_progress")  # it has an end
    assert document.get("namespace", "aws") in ("aws", "remote")
    _check_annotations(document.get("annotations", {}))
    assert all(not name.startswith("AWS.") for name in document.get("metadata", {}))
    assert document.get("aws", {}).keys() <= AWS_FIELDS
    for name, fields in document.get("http", {}).items():
        for field, value in fields.items():
            assert isinstance(value, HTTP_FIELDS[name][field])
            assert len(str(value)) <= 250
    assert all(document.get(flag, True) is True for flag in ("error", "fault", "throttle"))
    return document


def _check_annotations(annotations: dict[str, Any]) -> None:
    assert len(annotations) <= MAX_INDEXED_ANNOTATIONS
    for name, value in annotations.items():
        assert re.fullmatch(r"[A-Za-z0-9_]{1,500}", name), name
        assert isinstance(value, str | int | float | bool), (name, value)
        assert len(str(value)) <= 1000
