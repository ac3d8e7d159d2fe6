"""Response streaming for Python functions on AWS Lambda, with the semantics of Node.js.

    import awslambda

    @awslambda.streamify_response
    def handler(event, response_stream, context):
        response_stream = awslambda.HttpResponseStream.from_(
            response_stream, {"statusCode": 200, "headers": {"Content-Type": "text/plain"}}
        )
        response_stream.write("on the wire before the next line runs")
        response_stream.end()

What an exception in a handler means depends on when it is raised:

* before the first byte: Lambda records a function error; a Function URL answers 502;
* after the first byte: the stream ends with error trailers;
* after ``end()``: the answer is complete; the error is logged.

A handler that returns without ``end()`` has its stream ended. Ordinary handlers
(``def handler(event, context)``) run unchanged.
"""

from awslambda.deferral import after_response
from awslambda.errors import (
    AwsLambdaError,
    InvalidStreamingOperation,
    ResponseStreamBroken,
    WriteAfterEnd,
)
from awslambda.response_stream import (
    HttpResponseStream,
    ResponseStream,
    pipeline,
    streamify_response,
)

__all__ = [
    "AwsLambdaError",
    "HttpResponseStream",
    "InvalidStreamingOperation",
    "ResponseStream",
    "ResponseStreamBroken",
    "WriteAfterEnd",
    "after_response",
    "pipeline",
    "streamify_response",
]
