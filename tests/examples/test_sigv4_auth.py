"""examples/clients/sigv4_auth.py, judged by the local stack's verification."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import time
from itertools import product
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import httpx2
import pytest
import requests
from botocore.credentials import ReadOnlyCredentials

from examples.clients.sigv4_auth import FunctionUrlSigner, HttpxSigV4Auth, RequestsSigV4Auth
from local.http.requests import HttpRequest
from local.http.sigv4_verification import SignatureCheck, SignatureRejectedError
from local.project.environment import Credentials
from tests.examples.example_sources import EXAMPLES
from tests.sigv4_signers import AMBIGUOUS_QUERIES, ODD_QUERIES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

REGION = "eu-west-1"
URL = "https://abc.lambda-url.eu-west-1.on.aws"
KEYS = ReadOnlyCredentials("AKID", "secret", None)
CHECK = SignatureCheck(Credentials("AKID", "secret"), "lambda", REGION)


class Source:
    """Gives these credentials, one after the other, and then the last again."""

    def __init__(self, *given: ReadOnlyCredentials) -> None:
        self._given = list(given)

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return self._given.pop(0) if len(self._given) > 1 else self._given[0]


def verify(method: str, url: str, fields: Mapping[str, str], body: bytes) -> str:
    """The access key that signed; raises SignatureRejectedError."""
    parts = urlsplit(url)
    headers = {"host": parts.netloc, **{name.lower(): value for name, value in fields.items()}}
    request = HttpRequest(method, parts.path, parts.query, tuple(headers.items()), body)
    return CHECK.verify(request, time.time())


def keeping(sent: list[httpx2.Request]) -> httpx2.MockTransport:
    """A transport that keeps requests as they leave the client."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200)

    return httpx2.MockTransport(answer)


def sent_by_httpx(method: str, url: str, **how: Any) -> httpx2.Request:
    sent: list[httpx2.Request] = []
    auth = HttpxSigV4Auth(REGION, Source(KEYS))
    with httpx2.Client(auth=auth, transport=keeping(sent)) as client:
        client.request(method, url, **how)
    return sent[0]


def prepared_by_requests(method: str, url: str, **how: Any) -> requests.PreparedRequest:
    auth = RequestsSigV4Auth(REGION, Source(KEYS))
    return requests.Request(method, url, auth=auth, **how).prepare()


def pieces() -> Iterator[bytes]:
    yield b"one"
    yield b"two"


BODIES: tuple[dict[str, Any], ...] = (
    {},
    {"json": {"text": "é“x”"}},
    {"data": {"a": "1 &"}},
    {"files": {"file": ("a.wav", bytes(range(256)), "audio/wav")}},
    {"headers": {"X-Amz-Meta": "a  b", "Date": "not signed"}},
)
URLS = (f"{URL}/", URL, f"{URL}/v1/a%20b/%2F?z=1&a=%2F&flag", "http://127.0.0.1:3000/x?b=2&a=1")


def test_request_is_signed_as_it_is_sent() -> None:
    for url, how in product(URLS, BODIES):
        by_httpx = sent_by_httpx("POST", url, **how)
        by_requests = prepared_by_requests("POST", url, **how)
        for sent, body in (
            (by_httpx, by_httpx.content),
            (by_requests, cast("bytes | None", by_requests.body) or b""),
        ):
            assert verify("POST", str(sent.url), sent.headers, body) == "AKID", (url, how)
            with pytest.raises(SignatureRejectedError):
                verify("POST", str(sent.url), sent.headers, body + b"!")


def test_query_is_sent_in_the_form_that_everybody_reads_alike() -> None:
    sent_as = {
        "message=a+b%2Bc": "message=a%20b%2Bc",
        "a=b,c&a=*&a[]=x/y": "a=b%2Cc&a=%2A&a%5B%5D=x%2Fy",
        "a=b=c&flag&a=%2f%7e": "a=b%3Dc&flag=&a=%2F~",
        "a=%ff&é=%25&&=v&": "a=%FF&%C3%A9=%25&=v",
    }
    for given, query in sent_as.items():
        for url in (
            str(sent_by_httpx("GET", f"{URL}/a+b?{given}").url),
            prepared_by_requests("GET", f"{URL}/a+b?{given}").url,
        ):
            assert url == f"{URL}/a+b?{query}"


def test_odd_query_is_signed_as_it_is_sent() -> None:
    signer = FunctionUrlSigner(REGION, Source(KEYS))
    for query in (*ODD_QUERIES, *AMBIGUOUS_QUERIES):
        url = f"{URL}/?{query}"
        assert verify("GET", url, signer.fields("GET", url, {}, b""), b"") == "AKID"
        for sent in (sent_by_httpx("GET", url), prepared_by_requests("GET", url)):
            assert verify("GET", str(sent.url), sent.headers, b"") == "AKID", query


def test_httpx_body_in_pieces_is_read_whole() -> None:
    sent = sent_by_httpx("POST", f"{URL}/", content=pieces())
    assert verify("POST", str(sent.url), sent.headers, b"onetwo") == "AKID"


def test_async_client_signs_json_multipart_and_pieces() -> None:
    sent: list[httpx2.Request] = []

    async def more() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    async def send() -> None:
        auth = HttpxSigV4Auth(REGION, Source(KEYS))
        async with httpx2.AsyncClient(auth=auth, transport=keeping(sent)) as client:
            await client.post(f"{URL}/", json={"a": 1})
            await client.post(f"{URL}/", files={"file": ("a.wav", b"\0\xff", "audio/wav")})
            await client.post(f"{URL}/", content=more())

    asyncio.run(send())
    for request in sent:
        assert verify("POST", str(request.url), request.headers, request.content) == "AKID"
    assert sent[2].content == b"onetwo"


@pytest.mark.parametrize("file", [io.BytesIO(b"\0\xff"), io.StringIO("text")])
def test_open_file_is_read_by_requests(file: io.IOBase) -> None:
    content = file.read()
    file.seek(0)
    sent = prepared_by_requests("POST", f"{URL}/", data=file)
    body = content if isinstance(content, bytes) else content.encode()
    assert sent.body == body
    assert sent.headers["Content-Length"] == str(len(body))
    assert verify("POST", f"{URL}/", sent.headers, body) == "AKID"


def test_iterator_is_refused_by_requests_with_what_to_do() -> None:
    with pytest.raises(TypeError, match="join the pieces first"):
        prepared_by_requests("POST", f"{URL}/", data=pieces())


def test_signature_replaces_the_key_that_the_client_would_send() -> None:
    sent = sent_by_httpx("GET", f"{URL}/", headers={"Authorization": "Bearer sk-unused"})
    assert sent.headers.get_list("authorization") == [sent.headers["authorization"]]
    assert "sk-unused" not in str(sent.headers)


def test_credentials_are_read_for_each_request_and_their_token_is_sent() -> None:
    source = Source(KEYS, ReadOnlyCredentials("AKNEW", "new", "the-token"))
    signer = FunctionUrlSigner(REGION, source)
    first, second = (signer.fields("GET", f"{URL}/", {}, b"") for _ in range(2))
    assert "Credential=AKID/" in first["Authorization"]
    assert "X-Amz-Security-Token" not in first
    assert "Credential=AKNEW/" in second["Authorization"]
    assert second["X-Amz-Security-Token"] == "the-token"
    assert "x-amz-security-token" in second["Authorization"]


WITH_HTTPX = """
import httpx
from sigv4_auth import HttpxSigV4Auth
answer = httpx.MockTransport(lambda request: httpx.Response(200))
with httpx.Client(auth=HttpxSigV4Auth(), transport=answer) as client:
    reply = client.post("https://abc.lambda-url.us-east-1.on.aws/", json={})
print(reply.request.headers["authorization"].partition(" ")[0])
"""


def test_one_changed_import_makes_it_work_with_the_older_httpx(tmp_path: Path) -> None:
    source = (EXAMPLES / "clients" / "sigv4_auth.py").read_text()
    changed = source.replace("import httpx2 as httpx", "import httpx")
    assert changed != source
    (tmp_path / "sigv4_auth.py").write_text(changed)
    (tmp_path / "program.py").write_text(WITH_HTTPX)
    keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
    printed = subprocess.check_output(
        [sys.executable, "program.py"], cwd=tmp_path, env={**keys, "HOME": str(tmp_path)}, text=True
    )
    assert printed == "AWS4-HMAC-SHA256\n"


def test_missing_credentials_are_a_sentence(tmp_path: Path) -> None:
    program = "from examples.clients.sigv4_auth import HttpxSigV4Auth; HttpxSigV4Auth()"
    environ = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=EXAMPLES.parent,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ValueError: no AWS credentials were found: set AWS_ACCESS_KEY_ID" in done.stderr
