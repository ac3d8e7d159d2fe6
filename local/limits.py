"""Every limit and timeout of the local stack, each with its unit, its reason and AWS's page.

Known differences from AWS, because a laptop is not a bill:

* response streams are not slowed to 2 MB/s after their first 6 MB;
* there is no limit on new connections or posts per second;
* a function's memory size is told to it but not enforced;
* a Function URL answers every origin's OPTIONS by calling the function: there is no `cors`;
* a buffered answer behind RESPONSE_STREAM is shown by the rules of BUFFERED (AWS documents none).
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_REQUEST_BYTES = 6 * MIB
"""Payload of a synchronous invocation, so also the body of a Function URL request."""

MAX_BUFFERED_RESPONSE_BYTES = 6 * MIB + 100
"""Payload of a buffered answer; the Runtime API answers 413 above it."""

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
MAX_STREAMED_RESPONSE_BYTES = 200 * MIB
"""Bytes of one streamed answer."""

# https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
MAX_PRELUDE_BYTES = 16 * KIB
"""The prelude's JSON and its eight NULs end within these first bytes of the answer."""

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
DEFAULT_FUNCTION_TIMEOUT_S = 6.0
"""What the framework deploys for a function that names no timeout."""

MAX_FUNCTION_TIMEOUT_S = 900.0
"""Fifteen minutes: Lambda accepts no more."""

DEFAULT_MEMORY_MB = 1024
"""What the framework deploys for a function that names no memory size."""

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_TIMEOUT_S = 60.0
"""Lambda gives the init phase 10 s; several children start at once on a slow machine."""

SHUTDOWN_GRACE_S = 0.5
"""Between SIGTERM and SIGKILL; Lambda gives 0.3 s to 2 s, a runtime alone is killed at once."""

DEFAULT_CONCURRENCY = 16
"""Children of one function at most; stands for reserved concurrency, sized for a laptop."""

MAX_RUNTIME_API_HEAD_BYTES = 2 * MIB
"""Request head or trailers of the Runtime API: they carry a whole stack trace (RIC: < 1 MiB)."""

MAX_UNSENT_ANSWER_BYTES = 64 * KIB
"""What a slow client of the Function URL has not taken yet; above it the function waits."""

MAX_LOG_LINE_BYTES = 64 * KIB
"""A child's log line is printed in parts above it, so that no child fills our memory."""

MAX_WAITING_LOG_LINES = 10_000
"""Lines that wait for a slow console; further ones are counted and dropped."""

LOG_GATHER_S = 0.01
"""Lines of so short a time are written to the console at once: each write wakes a thread."""

START_LOG_HOLD_S = 0.5
"""A starting child's line is shown so much later: its failure follows its traceback in less."""

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
MAX_CLOCK_SKEW_S = 300.0
"""A signature's age, either way."""

MAX_PRESIGNED_S = 604_800
"""X-Amz-Expires: seven days at most."""

# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAX_MESSAGE_BYTES = 128 * KIB
"""One WebSocket message, either way; a longer one from the client closes with 1009."""

MAX_FRAME_BYTES = 32 * KIB
"""Payload of one frame from the client; a longer one closes with 1009, several make a message."""

INTEGRATION_TIMEOUT_S = 29.0
"""A route's function answers within it; cannot be raised for a WebSocket API."""

IDLE_TIMEOUT_S = 600.0
"""A connection without a message either way for ten minutes is closed (1001)."""

CONNECTION_LIFETIME_S = 7200.0
"""A connection is closed after two hours (1001)."""

CLOSE_HANDSHAKE_TIMEOUT_S = 2.0
"""A client that does not answer a close frame is not waited for longer (RFC 6455, 7.1.1)."""

POST_DRAIN_TIMEOUT_S = 29.0
"""A post waits so long for a client that takes nothing; then 429, as with a full client buffer."""

HTTP_HEAD_LINE_BYTES = 16 * KIB
"""A request line or header field; API Gateway and Function URLs take about 10 KB in all."""

HTTP_SHUTDOWN_S = 0.5
"""How long the fronts wait for open requests at the end; their functions are dead by then."""

DEMO_WORDS_PER_SECOND = 30.0
"""Pace of the demo model: about what a hosted model does, slow enough to watch."""
