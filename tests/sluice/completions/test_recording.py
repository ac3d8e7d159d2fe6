"""Any answer that ends well is kept, and comes back as the bytes that its first client got."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.cache.entry import MAX_BODY_BYTES, Entry, read_entry, written_entry
from sluice.completions.answer import ModelAnswer
from sluice.completions.caching import as_given
from sluice.completions.event_stream import EVENT_STREAM
from sluice.completions.recording import RecordedReply, ReplayedReply
from sluice.completions.usage_event import usage_cuts, without
from sluice.errors import UpstreamBroken
from sluice.secret_mask import SecretMask
from sluice.settings import read_settings
from sluice.upstream.targets import read_targets
from tests.scripted_upstream import answer_stream
from tests.sluice.completions.random_streams import chat_streams
from tests.sluice.completions.replies import Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

DATA = Path(__file__).parents[2] / "data"
RECORDED = [*sorted(DATA.rglob("*.sse"))]
(TARGET,) = read_targets({}, read_settings({}))
MASK = SecretMask(("sk-secret-0123456789",))


def given_to_client(reply: RecordedReply | ReplayedReply, *, hides_usage: bool) -> bytes:
    answer = ModelAnswer(reply, MASK, None, ascii_quotes=False, hides_usage=hides_usage)
    return b"".join(answer.chunks())


def check_replay(pieces: Sequence[bytes]) -> None:
    for hides_usage in (False, True):
        recorded = RecordedReply(Reply(pieces), MAX_BODY_BYTES)
        first = given_to_client(recorded, hides_usage=hides_usage)
        body = recorded.body()
        assert body == b"".join(pieces)
        given = as_given(MASK.apply(body), TARGET)
        kept = Entry("k", 0, 9, EVENT_STREAM, None, usage_cuts(given), b"{}", given)
        entry = read_entry(written_entry(kept), "k", 1)
        assert entry is not None
        wanted = without(entry.body, entry.cuts) if hides_usage else entry.body
        replayed = ReplayedReply(EVENT_STREAM, wanted)
        assert given_to_client(replayed, hides_usage=False) == first


@given(chat_streams(), st.lists(st.integers(1, 40), max_size=30))
def test_random_stream_comes_back_as_the_same_bytes(
    stream_and_end: tuple[bytes, bytes], sizes: list[int]
) -> None:
    stream = b"".join(stream_and_end)
    pieces, at = [], 0
    for size in sizes:
        pieces.append(stream[at : at + size])
        at += size
    check_replay([piece for piece in (*pieces, stream[at:]) if piece])


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_recorded_stream_comes_back_as_the_same_bytes(file: Path) -> None:
    stream = file.read_bytes()
    for line_end in (b"\n", b"\r\n", b"\r"):
        body = stream.replace(b"\n", line_end)
        check_replay([body])
        check_replay([body[at : at + 1000] for at in range(0, len(body), 1000)])


def read_all(reply: RecordedReply) -> None:
    for _ in reply.chunks():
        pass


def test_answer_that_was_cut_off_is_not_kept() -> None:
    recorded = RecordedReply(Reply([b"data: {}\n\n"], UpstreamBroken("cut")), MAX_BODY_BYTES)
    with pytest.raises(UpstreamBroken):
        read_all(recorded)
    assert recorded.body() is None


def test_answer_that_is_too_long_is_not_kept() -> None:
    stream = answer_stream(["a" * 100])
    for room, body in ((len(stream), stream), (len(stream) - 1, None)):
        recorded = RecordedReply(Reply([stream[:50], stream[50:]]), room)
        read_all(recorded)
        assert recorded.body() == body


def test_rest_of_an_answer_that_was_not_read_to_its_end_is_kept_too() -> None:
    pieces = [b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"]
    recorded = RecordedReply(Reply(pieces), MAX_BODY_BYTES)
    next(recorded.chunks())
    assert recorded.body() is None
    recorded.finish()
    assert recorded.body() == b"".join(pieces)


def test_compressed_answer_that_cannot_be_read_is_not_kept() -> None:
    whole = gzip.compress(answer_stream(["a"]))
    for data, encoding, body in (
        (whole, "gzip", answer_stream(["a"])),
        (b"no gzip", "gzip", None),
        (whole, "br", None),
    ):
        recorded = RecordedReply(Reply([data], encoding=encoding), MAX_BODY_BYTES)
        read_all(recorded)
        assert recorded.body() == body


def test_compressed_answer_that_becomes_too_long_is_not_kept() -> None:
    plain = answer_stream(["a" * 100_000])
    for room, body in ((len(plain), plain), (len(plain) - 1, None)):
        recorded = RecordedReply(Reply([gzip.compress(plain)], encoding="gzip"), room)
        read_all(recorded)
        assert recorded.body() == body


def test_stream_is_kept_in_the_form_in_which_its_clients_get_it() -> None:
    """Azure's streams may lack their last line end; a verbatim target's heartbeats stay."""
    environ = {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com"}
    (azure,) = read_targets(environ, read_settings(environ))
    for target, stream, kept in (
        (TARGET, b"data:\n\ndata: 1\n", b":data:\ndata: 1\n"),
        (TARGET._replace(is_verbatim=True), b"data:\n\ndata: 1\n", b"data:\n\ndata: 1\n"),
        (azure, b"data: 1\n", b"data: 1\n\n"),
    ):
        assert as_given(stream, target) == kept
