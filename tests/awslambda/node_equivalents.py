"""The Python handler for each recorded Node.js handler, or why there is none.

The keys are those of tests/data/node_streaming_cases.json, which has the JavaScript next to what
AWS's Node.js client sent. The values are the body of a handler, see HEADINGS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["async", "sync", "ordinary", "module"]

HEADINGS: dict[Kind, str] = {
    "async": "async def handler(event, s, context):\n",
    "sync": "def handler(event, s, context):\n",
    "ordinary": "async def handler(event, context):\n",
    "module": "",
}
PREAMBLE = """
import asyncio, awslambda
class Error(Exception): pass
http = awslambda.HttpResponseStream.from_
created = {'statusCode': 201, 'headers': {'Content-Type': 'application/json', 'X-Custom': 'v1'},
           'cookies': ['a=1; Path=/', 'b=2; HttpOnly']}
"""
CREATED_PRELUDE = (
    b'{"statusCode":201,"headers":{"Content-Type":"application/json","X-Custom":"v1"},'
    b'"cookies":["a=1; Path=/","b=2; HttpOnly"]}' + bytes(8)
)

SAME: dict[Kind, dict[str, str]] = {
    "async": {
        "text_write": "s.write('hello'); s.end()",
        "several_writes_sync": "s.write('one'); s.write('two'); s.write('three'); s.end()",
        "set_content_type": (
            "s.set_content_type('text/plain; charset=utf-8'); s.write('hi'); s.end()"
        ),
        "http_201_headers_cookies": """s = http(s, created); s.write('{"ok":true}'); s.end()""",
        "http_lazy_prelude": "s = http(s, {'statusCode': 200}); s.write('a'); s.end('b')",
        "http_write_empty_string": "s = http(s, created); s.write(''); s.end()",
        "http_headers_only_no_status": "s = http(s, {'headers': {'X-A': 'b'}}); s.end('x')",
        "http_from_after_write": "s.write('x'); s = http(s, {'statusCode': 201})",
        "http_204_write_empty": "s = http(s, {'statusCode': 204}); s.write(''); s.end()",
        "http_binary_body": (
            "s = http(s, {'statusCode': 200, 'headers': {'Content-Type': 'image/png'}})\n"
            "s.write(bytes([0x89, 0x50, 0x4E, 0x47] + [0] * 9 + [255])); s.end()"
        ),
        "http_sse": (
            "s = http(s, {'statusCode': 200, 'headers':"
            " {'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache'}})\n"
            "for i in range(3): s.write(f'data: {i}\\n\\n')\n"
            "s.end()"
        ),
        "http_throw_500_custom": (
            "try: raise Error('inner')\n"
            "except Error as e: message = {'message': str(e)}\n"
            "s = http(s, {'statusCode': 500, 'headers': {'Content-Type': 'application/json'}})\n"
            "s.write(message); s.end()"
        ),
        "empty_end": "s.end()",
        "end_with_chunk": "s.end('hello')",
        "write_with_callback": "s.write('hello'); s.end()",
        "end_with_chunk_and_callback": "s.end('hello')",
        "throw_after_write": (
            "s.write('partial'); await asyncio.sleep(0.01); raise Error('boom after')"
        ),
        "throw_sync_after_write": "s.write('partial'); raise Error('boom after')",
        "throw_sync_after_end": "s.write('full'); s.end(); raise Error('boom sync after end')",
        "reject_promise_after_end_callback": "s.write('x'); s.end(); raise Error('late')",
        "binary_buffer": (
            "s.set_content_type('application/x-bin'); s.write(bytes(range(256))); s.end()"
        ),
        "one_mib_single_write": "s.write(bytes(i % 251 for i in range(1048576))); s.end()",
        "one_mib_1024_writes_no_backpressure": (
            "for _ in range(1024): s.write(b'a' * 1024)\ns.end()"
        ),
        "one_mib_drain": ("for _ in range(16): s.write(b'b' * 65536); await s.drain()\ns.end()"),
        "pipeline": "awslambda.pipeline([b'p1', b'p2', b'p3'], s)",
        "end_then_fire_and_forget_timer": (
            "s.write('x'); s.end(); asyncio.get_running_loop().call_later(0.4, print, 'fired')"
        ),
        "double_end": "s.write('x'); s.end(); s.end()",
        "write_after_end_late": (
            "s.write('x'); s.end(); await asyncio.sleep(0.01)\n"
            "try: s.write('y')\n"
            "except awslambda.WriteAfterEnd: pass"
        ),
        "write_object": "s.write({'a': 1, 'b': [2]}); s.write(5); s.write(True); s.end()",
        "cork_uncork": "s.write('a'); s.write('b'); s.write('c'); s.end()",
        "echo_event": "s.write(event); s.end()",
        "server_403": "s.write('hello'); s.end()",
        "server_400": "s.write('hello'); s.end()",
        "slow_202_end_then_return": "s.write('x'); s.end()",
    },
    "sync": {
        "sync_handler": "s.write('sync'); s.end()",
        "sync_handler_returns_thenable": "s.write('thenable'); s.end(); return asyncio.sleep(0)",
    },
    "ordinary": {
        "buffered_handler_object": "return {'statusCode': 200, 'body': 'hi'}",
        "buffered_handler_undefined": "pass",
    },
    "module": {
        "init_throw": "raise TypeError('init failed')",
        "init_syntax_error": "def handler(:",
    },
}


@dataclass(frozen=True)
class Different:
    """The body of an async handler, and what the runtime does instead of what Node.js did.

    body: of POST …/response; error: the type in POST …/error; trailer: the type in the trailers.
    """

    lines: str
    why: str
    body: bytes | None = None
    error: str | None = None
    trailer: str | None = None


PRELUDE_AT_END = "end() sends the prelude too"
ENDED = "the stream of a handler that returns is ended"
RAISED = "raises in the handler; the answer is complete"
POSTED = "posted to /error, so that Lambda counts it; the reply is awaited"
CLEANED = "posted to /error, without control characters in the header"

DIFFERENT = {
    "http_end_with_chunk_no_write": Different(
        "s = http(s, created); s.end('body')", PRELUDE_AT_END, CREATED_PRELUDE + b"body"
    ),
    "http_empty_end_no_write": Different(
        "s = http(s, created); s.end()", PRELUDE_AT_END, CREATED_PRELUDE
    ),
    "pipeline_empty_http": Different(
        "awslambda.pipeline([], http(s, {'statusCode': 204}))",
        PRELUDE_AT_END,
        b'{"statusCode":204}' + bytes(8),
    ),
    "pipeline_source_error": Different(
        "def source(): yield b'p1'; raise Error('source failed')\nawslambda.pipeline(source(), s)",
        "an exception after the first byte gives trailers; Node.js's client dies",
        b"p1",
        trailer="Error",
    ),
    "never_end_after_write": Different("s.write('x')", ENDED, b"x"),
    "never_end_nothing": Different("pass", ENDED, b""),
    "never_end_http_from_only": Different(
        "http(s, {'statusCode': 200})", ENDED, b'{"statusCode":200}' + bytes(8)
    ),
    "double_end_with_chunk": Different("s.write('x'); s.end(); s.end('y')", RAISED, b"x"),
    "write_after_end": Different("s.write('x'); s.end(); s.write('y')", RAISED, b"x"),
    "write_null": Different("s.write(None)", POSTED, error="TypeError"),
    "throw_before_write": Different("raise Error('boom before')", POSTED, error="Error"),
    "throw_after_http_from_before_write": Different(
        "http(s, created); raise Error('boom after from')", POSTED, error="Error"
    ),
    "slow_202_throw_before_write": Different("raise Error('boom before')", POSTED, error="Error"),
    "error_huge_message": Different("raise Error('x' * 20000)", POSTED, error="Error"),
    "error_with_del_and_newlines": Different(
        "Error.__name__ = 'Weird\\x7f Name'; raise Error('line1')", CLEANED, error="Weird Name"
    ),
    "error_name_with_newline": Different(
        "Error.__name__ = 'Bad\\nName'; raise Error('m')", CLEANED, error="BadName"
    ),
}

JAVASCRIPT = "JavaScript only: "
CRASH = "Node.js's client crashes; here "

NOT_HERE = {
    "http_undefined_metadata": f"{JAVASCRIPT}None is null in JSON",
    "end_with_chunk_encoding": f"{JAVASCRIPT}encodings; str.encode and base64 replace them",
    "write_with_encoding_base64": f"{JAVASCRIPT}encodings; base64.b64decode replaces them",
    "throw_string_before_write": f"{JAVASCRIPT}Python raises exceptions only",
    "throw_object_before_write": f"{JAVASCRIPT}Python raises exceptions only",
    "never_resolve_after_end": f"{JAVASCRIPT}an endless coroutine blocks as an endless loop does",
    "end_then_timer_no_wait_empty_loop": f"{JAVASCRIPT}callbackWaitsForEmptyEventLoop",
    "destroy_after_write": f"{JAVASCRIPT}destroy(); an exception replaces it",
    "destroy_with_error_after_write": f"{JAVASCRIPT}destroy(); an exception replaces it",
    "stream_props": f"{JAVASCRIPT}properties of a Node.js stream",
    "highwatermark_option_async": f"{JAVASCRIPT}high-water marks; write blocks instead",
    "context_fields": "the context is that of AWS's Python client: test_invoke_loop",
    "unhandled_rejection": f"{CRASH}Python only warns",
    "uncaught_exception": f"{CRASH}asyncio logs an exception in a callback",
    "process_exit": "test_process_that_exits_leaves_its_answer_incomplete",
    "server_500": "AWS wants the runtime to exit: test_status_500_ends_the_process",
    "server_closes_midstream": f"{CRASH}the stream breaks: test_runtime_client",
    "server_early_413_midstream": "writes raise instead of being dropped: test_runtime_client",
}
