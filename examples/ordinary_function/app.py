"""An ordinary handler: it returns its whole answer and knows nothing about streaming."""

import json
import logging

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def handler(event, context):
    query = event.get("queryStringParameters") or {}
    logger.info("%s has %d ms left", context.function_name, context.get_remaining_time_in_millis())
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(
            {"message": f"Hello, {query.get('name', 'world')}", "requestId": context.aws_request_id}
        ),
    }
