"""CloudFormation with one stack, for tools that look a stage up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.scripted_upstream import ScriptedUpstream, scripted_upstream, sends

REPLY = (
    "<DescribeStacksResponse><DescribeStacksResult><Stacks><member>"
    "<StackName>sluice-qa</StackName><Outputs>{}</Outputs>"
    "</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
)
MEMBER = "<member><OutputKey>{}</OutputKey><OutputValue>{}</OutputValue></member>"


@contextmanager
def described_stack(
    http_url: str, websocket_url: str
) -> Iterator[tuple[ScriptedUpstream, dict[str, str]]]:
    """The server that describes `sluice-qa` with these addresses, and the variables to reach it."""
    outputs = {"StreamLambdaFunctionUrl": http_url, "ServiceEndpointWebsocket": websocket_url}
    members = "".join(MEMBER.format(*output) for output in outputs.items())
    with scripted_upstream() as server:
        server.script = sends(REPLY.format(members).encode(), "text/xml")
        yield (
            server,
            {
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_ENDPOINT_URL": server.url,
                "AWS_MAX_ATTEMPTS": "1",
            },
        )
