"""A model API that answers every operation as OpenAI's does, from the bytes in tests/data/openai.

`data/openai` follows the shapes of OpenAI's API reference; binary content is every byte there is.
https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.scripted_upstream import chunk

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from tests.scripted_upstream import UpstreamRequest

DATA = Path(__file__).parents[1] / "data" / "openai"
EVERY_BYTE = bytes(range(256)) * 300
"""No text, and longer than one read."""

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"
# Headers of a provider's front that a gateway keeps to itself.
FRONT = (
    "x-request-id: req_recorded\r\nopenai-processing-ms: 12\r\nSet-Cookie: __cf_bm=upstream\r\n"
    "x-ratelimit-remaining-requests: 99\r\n"
)
JSON_ANSWERS = {
    ("POST", "/v1/embeddings"): "embeddings.json",
    ("GET", "/v1/models"): "models.json",
    ("POST", "/v1/images/generations"): "images.json",
    ("POST", "/v1/images/edits"): "images.json",
    ("POST", "/v1/audio/transcriptions"): "transcription.json",
    ("POST", "/v1/files"): "file.json",
    ("DELETE", "/v1/files/file-abc123"): "file_deleted.json",
    ("POST", "/v1/moderations"): "moderation.json",
}
BINARY_ANSWERS = {
    ("POST", "/v1/audio/speech"): "audio/mpeg",
    ("GET", "/v1/files/file-abc123/content"): "application/octet-stream",
}


def recorded(name: str) -> bytes:
    """The bytes of one recorded answer."""
    return (DATA / name).read_bytes()


def answers_like_openai(request: UpstreamRequest, connection: socket.socket) -> None:
    """A script: the recorded answer to each request; 404 to what is not recorded."""
    operation = (request.method, request.target.partition("?")[0])
    if operation in BINARY_ANSWERS:
        connection.sendall(_in_chunks(BINARY_ANSWERS[operation], EVERY_BYTE, piece=4096))
    elif (name := _recorded_name(request, operation)) is None:
        connection.sendall(_whole(404, JSON, b'{"error":{"message":"not recorded","code":"x"}}'))
    elif name.endswith(".sse"):
        connection.sendall(_in_chunks(EVENTS, recorded(name), piece=700))
    else:
        connection.sendall(_whole(200, JSON, recorded(name)))


def _recorded_name(request: UpstreamRequest, operation: tuple[str, str]) -> str | None:
    if operation == ("POST", "/v1/chat/completions"):
        return _chat_name(request.document)
    if operation == ("POST", "/v1/responses"):
        return "response_stream.sse" if request.document.get("stream") else "response.json"
    return JSON_ANSWERS.get(operation)


def _chat_name(document: Mapping[str, object]) -> str:
    kind = "_tools" if "tools" in document else "_schema" if "response_format" in document else ""
    return f"chat{kind}_stream.sse" if document.get("stream") else f"chat{kind}.json"


def _whole(status: int, content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: {content_type}\r\n{FRONT}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _in_chunks(content_type: str, body: bytes, piece: int) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{FRONT}"
    pieces = (body[at : at + piece] for at in range(0, len(body), piece))
    sent = b"".join(map(chunk, pieces))
    return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + sent + b"0\r\n\r\n"
