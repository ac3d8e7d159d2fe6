"""Every limit and timeout of the local stack, with its unit, its reason and AWS's page.

The local stack differs from AWS on purpose, because a laptop sends no bill:

* Response streams are not slowed to 2 MB/s after their first 6 MB.
* New connections, messages and posts per second are not limited, whatever WEBSOCKET_RATE says.
* A function's memory size is reported to the function but not enforced.
* The Function URL has no `cors` setting: it calls the function for every OPTIONS request, but those
  of this machine's pages while the key pair is the well-known one.
* A buffered answer follows the rules of BUFFERED under RESPONSE_STREAM, too; AWS documents none.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_REQUEST_BYTES = 6 * MIB
"""Maximum payload of an invocation, in bytes; also the maximum body of a Function URL request."""

MAX_BUFFERED_RESPONSE_BYTES = 6 * MIB + 100
"""Maximum size of a buffered answer, in bytes; the Runtime API answers 413 above it."""

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
MAX_STREAMED_RESPONSE_BYTES = 200 * MIB
"""Maximum size of a streamed answer, in bytes."""

# https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
MAX_PRELUDE_BYTES = 16 * KIB
"""Maximum size of a prelude, its JSON and its eight NULs, in bytes."""

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
DEFAULT_FUNCTION_TIMEOUT_S = 6.0
"""Timeout of a function that sets none, in seconds: what the framework deploys."""

MAX_FUNCTION_TIMEOUT_S = 900.0
"""Maximum timeout of a function, in seconds: Lambda's limit."""

DEFAULT_MEMORY_MB = 1024
"""Memory size of a function that sets none, in megabytes: what the framework deploys."""

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_TIMEOUT_S = 60.0
"""Timeout of a function's start, in seconds. Lambda gives 10; a laptop starts several at once."""

SHUTDOWN_GRACE_S = 0.5
"""Time between SIGTERM and SIGKILL, in seconds. Lambda gives 0.3 to 2, or none at all."""

DEFAULT_CONCURRENCY = 16
"""Maximum processes per function: stands for reserved concurrency, sized for a laptop."""

DESCRIPTORS_PER_PROCESS = 8
"""Descriptors that a function's process takes here: its API, pipes, guard, and starting it."""

MAX_RUNTIME_API_HEAD_BYTES = 2 * MIB
"""Maximum head or trailers of a Runtime API request, in bytes: they carry a whole stack trace."""

MAX_UNSENT_ANSWER_BYTES = 64 * KIB
"""Bytes a slow client of the Function URL may leave unread before its function has to wait."""

MAX_LOG_LINE_BYTES = 64 * KIB
"""Maximum line of a function's output, in bytes; a longer one is printed in parts."""

MAX_WAITING_LOG_LINES = 10_000
"""Maximum lines that wait for a slow console; further lines are counted and dropped."""

BOUNDED_LOG_WINDOW_S = 5.0
"""Time in which equal lines about clients' faults are one line, in seconds."""
MAX_DATAGRAM_BYTES = 64 * KIB
"""Maximum size of a datagram to the X-Ray daemon, in bytes: UDP's and X-Ray's limit."""

MAX_HELD_DOCUMENTS = 1000
"""Maximum documents held for invocations that still run; the oldest is dropped."""

MAX_BOUNDED_LINES = 20
"""Maximum lines about them in that time; the rest is counted."""

LOG_GATHER_S = 0.01
"""Time the console gathers lines before it writes them, in seconds: each write wakes a thread."""

START_LOG_HOLD_S = 0.5
"""Time the output of a starting function is held back, in seconds: a failing one ends sooner."""

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
MAX_CLOCK_SKEW_S = 300.0
"""Maximum age of a signature, in seconds; also how far it may lie in the future."""

MAX_PRESIGNED_S = 604_800
"""Maximum X-Amz-Expires, in seconds: seven days."""

# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAX_MESSAGE_BYTES = 128 * KIB
"""Maximum WebSocket message in both directions, in bytes; a longer one closes with 1009."""

MAX_FRAME_BYTES = 32 * KIB
"""Maximum frame from a client, in bytes; a longer one closes with 1009."""

INTEGRATION_TIMEOUT_S = 29.0
"""Timeout of a route's function, in seconds; a WebSocket API cannot raise it."""

IDLE_TIMEOUT_S = 600.0
"""Time without a message after which a connection is closed (1001), in seconds."""

CONNECTION_LIFETIME_S = 7200.0
"""Age at which a connection is closed (1001), in seconds."""

CLOSE_HANDSHAKE_TIMEOUT_S = 2.0
"""Timeout for the client's close frame, in seconds (RFC 6455, 7.1.1)."""

POST_DRAIN_TIMEOUT_S = 1.0
"""Timeout of a post to a client that reads nothing, in seconds; then 429, as with a full buffer.
AWS documents no figure. It must be less than functions wait for a post."""

HTTP_HEAD_LINE_BYTES = 16 * KIB
"""Maximum request line or header field, in bytes; AWS accepts about 10 KB in all."""

EVENT_STREAM_HEARTBEAT_S = 15.0
"""Time without an event after which the page's event stream sends a comment, in seconds: only a
write shows that a page was closed."""

HTTP_SHUTDOWN_S = 0.5
"""Time the servers wait for open requests at the end, in seconds; no function runs by then."""

MODEL_START_TIMEOUT_S = 120.0
"""Timeout for loading a model, in seconds: a slow disk reads 250 MB in that time."""

DEMO_WORDS_PER_SECOND = 30.0
"""Speed of the demo model, in words per second: about a hosted model's, slow enough to watch."""
