"""Stream an answer word by word."""

import time

import awslambda


@awslambda.streamify_response
def handler(event, response_stream, context):
    metadata = {"statusCode": 200, "headers": {"Content-Type": "text/plain; charset=utf-8"}}
    with awslambda.HttpResponseStream.from_(response_stream, metadata) as answer:
        for word in ("Each ", "word ", "leaves ", "as ", "it ", "is ", "written.\n"):
            answer.write(word)
            time.sleep(0.1)  # to make the streaming visible
