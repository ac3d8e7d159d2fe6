"""A presigned URL opens the Function URL and goes no further."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from tests.end_to_end.recorded_upstream import answers_like_openai, recorded
from tests.end_to_end.upstream_request import only_request

if TYPE_CHECKING:
    from tests.running_stack import RunningStack
    from tests.scripted_upstream import ScriptedUpstream


def test_signature_in_the_query_is_not_for_the_provider(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = answers_like_openai
    request = AWSRequest("GET", f"{signed_stack.url}/v1/models?limit=2")
    SigV4QueryAuth(ReadOnlyCredentials("local", "local", None), "lambda", "us-east-1").add_auth(
        request
    )
    assert httpx2.get(str(request.url)).content == recorded("models.json")
    only_request(upstream, "GET", "/v1/models?limit=2")
