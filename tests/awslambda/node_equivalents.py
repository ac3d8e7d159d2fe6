"""For each recorded Node.js handler the Python one that does the same, or why there is none.

The names are those of tests/data/node_streaming_cases.json, which has the JavaScript beside what
AWS's Node.js client sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HTTP = (
    "s = awslambda.HttpResponseStream.from_(s, {'statusCode': 201, 'headers':"
    " {'Content-Type': 'application/json', 'X-Custom': 'v1'},"
    " 'cookies': ['a=1; Path=/', 'b=2; HttpOnly']})"
)
PRELUDE_201 = (
    b'{"statusCode":201,"headers":{"Content-Type":"application/json","X-Custom":"v1"},'
    b'"cookies":["a=1; Path=/","b=2; HttpOnly"]}' + bytes(8)
)


@dataclass(frozen=True)
class Same:
    """Lines of an `async def handler(event, s, context)` that must give what Node.js gave."""

    lines: tuple[str, ...]
    before: str = ""
    kind: Literal["async", "sync", "ordinary", "module"] = "async"


@dataclass(frozen=True)
class Different:
    """The same lines, and what we do instead of what Node.js did, and why.

    body: of POST …/response; error: the type in POST …/error; trailer: the type in the trailers.
    """

    lines: tuple[str, ...]
    why: str
    body: bytes | None = None
    error: str | None = None
    trailer: str | None = None


@dataclass(frozen=True)
class NotHere:
    """Why there is nothing to compare."""

    why: str


def same(*lines: str, before: str = "") -> Same:
    return Same(lines, before)


ERROR_CLASS = "class Error(Exception): pass"
JAVASCRIPT = "JavaScript only: "
CRASH = "Node.js's client dies of it, which is not to be copied: "

EQUIVALENTS: dict[str, Same | Different | NotHere] = {
    "text_write": same("s.write('hello'); s.end()"),
    "several_writes_sync": same("s.write('one'); s.write('two'); s.write('three'); s.end()"),
    "set_content_type": same(
        "s.set_content_type('text/plain; charset=utf-8'); s.write('hi'); s.end()"
    ),
    "http_201_headers_cookies": same(HTTP, """s.write('{"ok":true}'); s.end()"""),
    "http_lazy_prelude": same(
        "s = awslambda.HttpResponseStream.from_(s, {'statusCode': 200})",
        "s.write('a'); s.write('b'); s.end()",
    ),
    "http_end_with_chunk_no_write": Different(
        (HTTP, "s.end('body')"), "the prelude is sent with end() too", PRELUDE_201 + b"body"
    ),
    "http_empty_end_no_write": Different(
        (HTTP, "s.end()"), "the prelude is sent with end() too", PRELUDE_201
    ),
    "http_write_empty_string": same(HTTP, "s.write(''); s.end()"),
    "http_headers_only_no_status": same(
        "s = awslambda.HttpResponseStream.from_(s, {'headers': {'X-A': 'b'}})",
        "s.write('x'); s.end()",
    ),
    "http_undefined_metadata": NotHere(
        JAVASCRIPT + "None is JSON's null, and metadata that is no JSON fails before the first byte"
    ),
    "http_from_after_write": same(
        "s.write('x')", "s = awslambda.HttpResponseStream.from_(s, {'statusCode': 201})"
    ),
    "http_204_write_empty": same(
        "s = awslambda.HttpResponseStream.from_(s, {'statusCode': 204})", "s.write(''); s.end()"
    ),
    "empty_end": same("s.end()"),
    "end_with_chunk": same("s.end('hello')"),
    "end_with_chunk_encoding": NotHere(JAVASCRIPT + "encodings; bytes.decode and base64 do that"),
    "write_with_encoding_base64": NotHere(JAVASCRIPT + "encodings; base64.b64decode does that"),
    "write_with_callback": same("s.write('hello')", "s.end()"),
    "end_with_chunk_and_callback": same("s.end('hello')"),
    "throw_before_write": Different(
        ("raise Error('boom before')",), "posted to /error, so that Lambda counts it", error="Error"
    ),
    "throw_string_before_write": NotHere(JAVASCRIPT + "only exceptions are raised"),
    "throw_object_before_write": NotHere(JAVASCRIPT + "only exceptions are raised"),
    "throw_after_write": same(
        "s.write('partial'); await asyncio.sleep(0.01); raise Error('boom after')"
    ),
    "throw_sync_after_write": same("s.write('partial'); raise Error('boom after')"),
    "throw_after_http_from_before_write": Different(
        (HTTP, "raise Error('boom after from')"),
        "nothing was sent: posted to /error",
        error="Error",
    ),
    "throw_sync_after_end": same("s.write('full'); s.end(); raise Error('boom sync after end')"),
    "binary_buffer": same(
        "s.set_content_type('application/x-bin'); s.write(bytes(range(256))); s.end()"
    ),
    "one_mib_single_write": same("s.write(bytes(i % 251 for i in range(1048576))); s.end()"),
    "one_mib_1024_writes_no_backpressure": same(
        "for _ in range(1024): s.write(b'a' * 1024)", "s.end()"
    ),
    "one_mib_drain": same(
        "for _ in range(16):", "    s.write(b'b' * 65536)", "    await s.drain()", "s.end()"
    ),
    "pipeline": same("awslambda.pipeline([b'p1', b'p2', b'p3'], s)"),
    "pipeline_empty_http": Different(
        (
            "s = awslambda.HttpResponseStream.from_(s, {'statusCode': 204})",
            "awslambda.pipeline([], s)",
        ),
        "the prelude is sent with end() too",
        b'{"statusCode":204}' + bytes(8),
    ),
    "pipeline_source_error": Different(
        (
            "def source():",
            "    yield b'p1'",
            "    raise Error('source failed')",
            "awslambda.pipeline(source(), s)",
        ),
        "an exception after the first byte gives trailers; Node.js's client dies",
        b"p1",
        trailer="Error",
    ),
    "never_end_after_write": Different(
        ("s.write('x')",), "a handler that returns has its stream ended", b"x"
    ),
    "never_end_nothing": Different(("pass",), "a handler that returns has its stream ended", b""),
    "never_end_http_from_only": Different(
        ("awslambda.HttpResponseStream.from_(s, {'statusCode': 200})",),
        "a handler that returns has its stream ended",
        b'{"statusCode":200}' + bytes(8),
    ),
    "never_resolve_after_end": NotHere(
        JAVASCRIPT + "a coroutine that never ends holds the invocation, as a thread would"
    ),
    "end_then_fire_and_forget_timer": same(
        "s.write('x'); s.end()", "asyncio.get_running_loop().call_later(0.4, print, 'fired')"
    ),
    "end_then_timer_no_wait_empty_loop": NotHere(JAVASCRIPT + "callbackWaitsForEmptyEventLoop"),
    "sync_handler": Same(("s.write('sync'); s.end()",), kind="sync"),
    "sync_handler_returns_thenable": Same(
        ("s.write('thenable'); s.end()", "return asyncio.sleep(0)"), kind="sync"
    ),
    "double_end": same("s.write('x'); s.end(); s.end()"),
    "double_end_with_chunk": Different(
        ("s.write('x'); s.end(); s.end('y')",), "raises in the handler; the answer stands", b"x"
    ),
    "write_after_end": Different(
        ("s.write('x'); s.end(); s.write('y')",), "raises in the handler; the answer stands", b"x"
    ),
    "write_after_end_late": same(
        "s.write('x'); s.end(); await asyncio.sleep(0.01)",
        "try: s.write('y')",
        "except awslambda.WriteAfterEnd: pass",
    ),
    "destroy_after_write": NotHere(JAVASCRIPT + "destroy(); an exception does that here"),
    "destroy_with_error_after_write": NotHere(JAVASCRIPT + "destroy(); an exception does that"),
    "write_object": same("s.write({'a': 1, 'b': [2]}); s.write(5); s.write(True); s.end()"),
    "write_null": Different(
        ("s.write(None)",), "before the first byte: posted to /error", error="TypeError"
    ),
    "cork_uncork": same("s.write('a'); s.write('b'); s.write('c'); s.end()"),
    "echo_event": same("s.write(event); s.end()"),
    "context_fields": NotHere(
        "the context is that of AWS's Python client; test_context_has_what_the_stock_client_gives"
    ),
    "stream_props": NotHere(JAVASCRIPT + "properties of a Node.js stream"),
    "unhandled_rejection": NotHere(CRASH + "Python only warns of it"),
    "uncaught_exception": NotHere(CRASH + "an exception in a callback is logged by asyncio"),
    "process_exit": NotHere("covered by test_process_that_exits_leaves_its_answer_incomplete"),
    "error_with_del_and_newlines": Different(
        (
            "class Weird(Exception): pass",
            "Weird.__name__ = 'Weird\\x7f Name'",
            "raise Weird('line1')",
        ),
        "posted to /error; what cannot be in a header is left out",
        error="Weird Name",
    ),
    "error_name_with_newline": Different(
        ("Error.__name__ = 'Bad\\nName'", "raise Error('m')"),
        "Node.js's client sends nothing at all; here what cannot be in a header is left out",
        error="BadName",
    ),
    "error_huge_message": Different(
        ("raise Error('x' * 20000)",), "posted to /error", error="Error"
    ),
    "buffered_handler_object": Same(("return {'statusCode': 200, 'body': 'hi'}",), kind="ordinary"),
    "buffered_handler_undefined": Same(("pass",), kind="ordinary"),
    "init_throw": Same(("raise TypeError('init failed')",), kind="module"),
    "init_syntax_error": Same(("def handler(:",), kind="module"),
    "server_403": same("s.write('hello'); s.end()"),
    "server_400": same("s.write('hello'); s.end()"),
    "server_500": NotHere(
        "AWS says of 500 that the runtime should exit; test_status_500_ends_the_process"
    ),
    "server_closes_midstream": NotHere(
        CRASH + "test_connection_lost_in_the_middle_of_a_stream_does_not_cost_the_next_event"
    ),
    "server_early_413_midstream": NotHere(
        "writes raise instead of being dropped; test_early_refusal_breaks_the_stream_only"
    ),
    "slow_202_throw_before_write": Different(
        ("raise Error('boom before')",), "posted to /error; the reply is waited for", error="Error"
    ),
    "slow_202_end_then_return": same("s.write('x'); s.end()"),
    "http_binary_body": same(
        "s = awslambda.HttpResponseStream.from_(s, {'statusCode': 200, 'headers':"
        " {'Content-Type': 'image/png'}})",
        "s.write(bytes([0x89, 0x50, 0x4E, 0x47] + [0] * 9 + [255])); s.end()",
    ),
    "http_sse": same(
        "s = awslambda.HttpResponseStream.from_(s, {'statusCode': 200, 'headers':"
        " {'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache'}})",
        "for i in range(3): s.write(f'data: {i}\\n\\n')",
        "s.end()",
    ),
    "http_throw_500_custom": same(
        "try: raise Error('inner')",
        "except Error as e:",
        "    s = awslambda.HttpResponseStream.from_(s, {'statusCode': 500, 'headers':"
        " {'Content-Type': 'application/json'}})",
        "    s.write({'message': str(e)}); s.end()",
    ),
    "reject_promise_after_end_callback": same("s.write('x'); s.end(); raise Error('late')"),
    "highwatermark_option_async": NotHere(JAVASCRIPT + "high-water marks; write blocks here"),
}
