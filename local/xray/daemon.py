"""The X-Ray daemon's port: receives documents, and prints the trace of each ended invocation."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable, Mapping

from local.limits import MAX_DATAGRAM_BYTES, MAX_HELD_DOCUMENTS
from local.xray.documents import Document, InvalidDocumentError, read_datagram
from local.xray.tree import EndedInvocation, below, trace_tree

_HEADER = re.compile(r"Root=(?P<root>[^;]+);Parent=(?P<parent>[^;]+)")


class TraceDaemon:
    """Listens on a free port of loopback from the start until `close`; `show` takes text."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._documents: list[Document] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)  # noqa: FBT003 - its one argument
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._receive)

    def environment(self) -> Mapping[str, str]:
        """Return the variables by which Lambda tells a function of its daemon."""
        host, port = self._socket.getsockname()
        return {
            "AWS_XRAY_DAEMON_ADDRESS": f"{host}:{port}",
            "AWS_XRAY_SDK_ENABLED": "true",
        }

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def invocation_ended(self, function: str, header: str, began: float, ended: float) -> None:
        """Print the trace of an invocation. `header` is the trace header that it had."""
        ids = _HEADER.match(header)
        if ids is None:
            return
        self._receive()  # on loopback, what was sent before the invocation ended is there
        found = [document for _, document in below(ids["parent"], self._documents)]
        self._documents = [each for each in self._documents if each not in found]
        invocation = EndedInvocation(function, ids["root"], ids["parent"], began, ended)
        self._show(trace_tree(invocation, found))

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take(self._socket.recv(MAX_DATAGRAM_BYTES))

    def _take(self, datagram: bytes) -> None:
        try:
            self._documents.append(read_datagram(datagram))
        except InvalidDocumentError as error:
            self._show(f"X-Ray would drop a document: {error}.")
        del self._documents[:-MAX_HELD_DOCUMENTS]
