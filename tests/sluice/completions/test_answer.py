"""One answer path for both transports, read in each way: as bytes, events, deltas or text."""

from __future__ import annotations

import gzip
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sluice.completions.answer import ModelAnswer
from sluice.completions.request import (
    NativeRequest,
    ResponseType,
    parse_object,
    plain_request,
)
from sluice.errors import NoMatch, PromptTemplateNotAllowed
from sluice.settings import DEFAULT_MODEL
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    UpstreamRequest,
    answer_stream,
    chunk,
    endless,
    holds_after,
    replies,
    says,
    sends,
    sse,
)
from tests.sluice.answering import SECRET
from tests.sluice.completions.answer_bench import (
    EACH_WAY,
    FORWARD_KEY,
    HELLO,
    AnswerBench,
    bytes_of,
    deltas_of,
    events_of,
    native,
    text_of,
)

if TYPE_CHECKING:
    from tests.sluice.completions.answer_bench import Read


@pytest.mark.parametrize(
    ("response_type", "texts", "value"),
    [
        (ResponseType.FULL, ["a ", "é"], "a é"),
        (ResponseType.FULL, [], ""),
        (ResponseType.INT, ["It is [[4", "2]]"], "42"),
        (ResponseType.STRING, ["[[ y", "es ]]"], "yes"),
    ],
)
def test_text_is_what_the_response_type_says(
    bench: AnswerBench, response_type: ResponseType, texts: list[str], value: str
) -> None:
    bench.upstream.script = says(*texts)
    assert bench.read(lambda answer: answer.text(response_type)) == value


def test_reasoning_is_no_part_of_an_answer(bench: AnswerBench) -> None:
    thoughts = [{"reasoning_content": "[[1]]"}, {"content": None, "reasoning": "[[1]]"}]
    thinking = b"".join(sse({"choices": [{"delta": thought}]}) for thought in thoughts)
    message = {"reasoning_content": "[[1]]", "content": "[[2]]"}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}]}
    streamed = sends(thinking + answer_stream(["[[2", "]]"]), "text/event-stream")
    for bench.upstream.script in (streamed, replies(200, whole)):
        for kind, text in {"INT": "2", "STRING": "2", "FULL": "[[2]]"}.items():
            read = partial(ModelAnswer.text, response_type=ResponseType[kind])
            assert bench.read(read) == text
        assert bench.read(deltas_of) == "[[2]]"


def test_answer_without_the_value_is_no_match(bench: AnswerBench) -> None:
    bench.upstream.script = says("I would rather not.")
    with pytest.raises(NoMatch, match="I would rather not"):
        bench.read(lambda answer: answer.text(ResponseType.INT))


@pytest.mark.parametrize(
    ("response_type", "deltas", "value"),
    [
        (ResponseType.INT, ["So [", "[4", "2]", "]"], "42"),
        (ResponseType.STRING, ["[[", " é😀", " ]]"], "é😀"),
    ],
)
def test_upstream_is_closed_at_a_value_wherever_its_bytes_are_cut(
    bench: AnswerBench, response_type: ResponseType, deltas: list[str], value: str
) -> None:
    stream = b"".join(sse({"choices": [{"delta": {"content": text}}]}) for text in deltas)
    answers = bench.answers()
    for cut in range(1, len(stream)):
        bench.upstream.gone.clear()
        bench.upstream.script = holds_after(
            EVENT_STREAM_HEAD, chunk(stream[:cut]), chunk(stream[cut:])
        )
        assert bench.read(lambda answer: answer.text(response_type), HELLO, answers) == value
        assert bench.upstream.gone.wait(PATIENCE_S)


def test_upstream_that_talks_on_is_closed_at_a_value(bench: AnswerBench) -> None:
    bench.upstream.script = endless("[[7]]")
    assert bench.read(lambda answer: answer.text(ResponseType.INT)) == "7"
    assert bench.upstream.gone.wait(PATIENCE_S)


@EACH_WAY
def test_connection_is_kept_after_a_whole_answer(bench: AnswerBench, read: Read) -> None:
    ports, answers = set(), bench.answers()

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        ports.add(connection.getpeername())
        says("a", "b")(request, connection)

    bench.upstream.script = script
    for _ in range(3):
        bench.read(read, HELLO, answers)
    assert len(ports) == 1


def test_upstream_that_sends_pings_after_its_end_is_closed(bench: AnswerBench) -> None:
    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD + chunk(answer_stream(["a"])))
        while True:
            connection.sendall(chunk(b": ping\n\n"))
            threading.Event().wait(0.05)

    bench.upstream.script = script
    assert bench.read(deltas_of) == "a"
    assert bench.upstream.gone.wait(PATIENCE_S)


@EACH_WAY
@pytest.mark.parametrize("secret", [SECRET, FORWARD_KEY])
def test_key_is_masked_in_an_answer(bench: AnswerBench, read: Read, secret: str) -> None:
    bench.upstream.script = says(f"Your key is {secret}. ")
    answer = bench.read(read)
    assert "Your key is [key]. " in answer
    assert secret not in answer


def test_key_that_deltas_share_is_masked_in_a_whole_text(bench: AnswerBench) -> None:
    bench.upstream.script = says(SECRET[:9], SECRET[9:])
    assert bench.read(text_of) == "[key]"


def test_prompt_with_a_key_is_rejected_before_the_model_is_asked(bench: AnswerBench) -> None:
    request = HELLO._replace(prompt_template="PROMPT_A")
    for secret in (SECRET, FORWARD_KEY):
        with pytest.raises(PromptTemplateNotAllowed):
            bench.read(text_of, request, PROMPT_A=f"You know {secret}.")
    assert bench.upstream.requests == []


@pytest.mark.parametrize(
    ("setting", "text"),
    [("true", "\"Hi\", it's 'so'"), ("false", "\u201cHi\u201d, it\u2019s \u201aso\u201b")],
)
def test_quotation_marks_of_texts_are_straight_if_set(
    bench: AnswerBench, setting: str, text: str
) -> None:
    bench.upstream.script = says("\u201cHi", "\u201d, it\u2019s \u201aso\u201b")
    for read in (deltas_of, text_of):
        assert bench.read(read, ASCII_QUOTES=setting) == text
    for read in (events_of, bytes_of):  # the provider's own
        assert "\\u201c" in bench.read(read, ASCII_QUOTES=setting)


@EACH_WAY
def test_usage_is_logged_and_nothing_that_was_said(bench: AnswerBench, read: Read) -> None:
    bench.upstream.script = says("the private answer")
    bench.read(read, plain_request("the private question"))
    assert bench.logged["usage"] == {"total_tokens": 3}
    assert (bench.logged["provider"], bench.logged["retries"]) == ("openai", 0)
    assert not any(part in bench.lines[0] for part in ("private", SECRET, FORWARD_KEY))


@pytest.mark.parametrize(
    ("document", "sent"),
    [
        ({"model": "m", "n": 1}, {"model": "m", "n": 1}),
        ({"n": 1}, {"n": 1, "model": DEFAULT_MODEL}),
        ({"prompt": {"id": "pmpt_1"}}, {"prompt": {"id": "pmpt_1"}}),  # stored at the provider
    ],
)
def test_native_request_gets_the_default_model_if_it_needs_one(
    bench: AnswerBench, document: dict[str, Any], sent: dict[str, Any]
) -> None:
    bench.upstream.script = replies(200, {})
    bench.read(bytes_of, native(document))
    assert bench.upstream.requests[0].document == sent


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{ "model" : "m",\n "x": 1.0e5 }', b'{ "model" : "m",\n "x": 1.0e5 }'),
        (b'{"x":1e400, "n": 0.10}', b'{"model": "small", "x":1e400, "n": 0.10}'),
        (b'{"stop":"a","stop":"b", "model": null}', b'{"stop":"a","stop":"b", "model": "small"}'),
        (b"{}", b'{"model": "small"}'),
        (b'\xef\xbb\xbf{"x": 1}', b'{"x": 1, "model": "small"}'),
        ('{"x": 1}'.encode("utf-16"), b'{"x": 1, "model": "small"}'),
    ],
)
def test_body_without_a_model_keeps_its_bytes_but_for_the_model(
    bench: AnswerBench, body: bytes, sent: bytes
) -> None:
    bench.upstream.script = replies(200, {})
    bench.read(bytes_of, NativeRequest(body, parse_object(body)), OPENAI_MODEL="small")
    assert bench.upstream.requests[0].body == sent


@pytest.mark.parametrize("read", [events_of, deltas_of, text_of])
def test_compressed_answer_is_read(bench: AnswerBench, read: Read) -> None:
    body = gzip.compress(answer_stream(["a", "b"]))
    bench.upstream.script = sends(body, "text/event-stream", content_encoding="gzip")
    assert "b" in bench.read(read, LOG_CHAT="true")
    assert (bench.logged["answer"], bench.logged["usage"]) == ("ab", {"total_tokens": 3})
