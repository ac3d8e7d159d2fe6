"""`npm start -- --config`: the local stack runs other people's functions."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from websockets.typing import Origin

from tests.end_to_end.curl import SIGNED, curl
from tests.examples.example_sources import EXAMPLES, STREAMED_WORDS
from tests.patient_client import connect
from tests.running_stack import PATIENCE_S, ROOT, ready_service, stack

if TYPE_CHECKING:
    from pathlib import Path

APP = """
import os
import awslambda
import boto3

@awslambda.streamify_response
def page(event, response_stream, context):
    if event["rawPath"] == "/refused":
        metadata = {"statusCode": 401, "headers": {}}
        awslambda.HttpResponseStream.from_(response_stream, metadata).end("no")
        return
    response_stream.set_content_type("text/plain")
    response_stream.write("first,")
    with open(os.environ["GATE"]) as gate:
        response_stream.write(gate.read())
    print(sorted(os.environ))

def chat(event, context):
    where = event["requestContext"]
    if where["routeKey"] == "$default":
        address = f"http://{where['domainName']}/{where['stage']}"
        client = boto3.client("apigatewaymanagementapi", endpoint_url=address)
        client.post_to_connection(ConnectionId=where["connectionId"], Data=event["body"].upper())
    return {"statusCode": 200}
"""
SERVERLESS_YML = """
service: own
provider:
  name: aws
  layers: [!Ref RuntimeLambdaLayer]
  environment: { AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap, MINE: "yes" }
functions:
  page: { handler: app.page, url: AUTH }
  chat: { handler: app.chat, events: [{ websocket: $connect }, { websocket: $default }] }
  nightly: { handler: app.chat, events: [{ schedule: rate(1 day) }] }
layers: { runtime: { path: layers/runtime } }
"""

ANYWHERE = "0.0.0.0"  # noqa: S104 -- it is refused


def project(folder: Path, url: str = "true") -> Path:
    (folder / "app.py").write_text(APP, encoding="utf-8")
    (folder / "layers").symlink_to(ROOT / "layers")
    os.mkfifo(folder / "gate")
    config = folder / "serverless.yml"
    config.write_text(SERVERLESS_YML.replace("AUTH", url), encoding="utf-8")
    return config


def test_example_streams_by_the_line_of_its_banner() -> None:
    with ready_service(EXAMPLES / "streaming_function" / "serverless.yml") as running:
        line = next(line for line in running.lines if "curl" in line)
        printed = subprocess.check_output(["sh", "-c", line], timeout=PATIENCE_S)
        assert printed == b"".join(STREAMED_WORDS)
        assert curl(f"{running.url}/_local/health").status == 200
        page = curl(running.url, "-H", "Accept: text/html", "-H", "Sec-Fetch-Dest: document")
        assert page.body == b"".join(STREAMED_WORDS)  # no page of Sluice's
        for word in ("Sluice", "Playground", "demo", "FORWARD_KEY", "WebSocket"):
            assert word not in running.text()


def test_pieces_arrive_as_they_are_written_and_nothing_of_sluice_is_added(tmp_path: Path) -> None:
    config = project(tmp_path)
    with (
        ready_service(config, GATE=str(tmp_path / "gate"), LEVEL_MODELS="of another") as running,
        subprocess.Popen(["curl", "-sN", running.url], stdout=subprocess.PIPE) as client,
    ):
        assert client.stdout is not None
        assert client.stdout.read(6) == b"first,"
        (tmp_path / "gate").write_text("second", encoding="utf-8")
        assert client.stdout.read() == b"second"
        names = running.wait_line("'MINE'")
        for name in (
            "OPENAI_",
            "STATE_TABLE",
            "FORWARD_KEY",
            "FUNCTION_URL_AUTH",
            "API_GW_ENDPOINT",
        ):
            assert name not in names
        assert curl(f"{running.url}/refused").status == 401
        assert "Nothing invokes nightly here" in running.text()
        assert "ignores them" not in running.text()
        running.end()
        assert "refused |" not in running.text()


def test_websocket_function_answers_by_connections_of_the_stack(tmp_path: Path) -> None:
    with (
        ready_service(project(tmp_path)) as running,
        connect(running.websocket_url, origin=Origin("https://app.example")) as client,
    ):
        client.send("hello")
        assert client.recv(PATIENCE_S) == "HELLO"


def test_url_with_aws_iam_requires_a_signature(tmp_path: Path) -> None:
    config = project(tmp_path, "{ authorizer: aws_iam }")
    with ready_service(config) as running:
        assert curl(f"{running.url}/refused").status == 403
        line = running.wait_line("refused | Function URL, 403")
        assert "remove authorizer: aws_iam" in line
        assert "FORWARD_KEY" not in line
        reply = curl(*SIGNED, f"{running.url}/refused")
        assert (reply.status, reply.body) == (401, b"no")
        assert f"{json.dumps('local')[1:-1]}:local" in running.text()


def test_wrong_authorizer_and_an_open_host_end_the_start(tmp_path: Path) -> None:
    for number, (url, options, says) in enumerate(
        (
            ("{ authorizer: iam }", (), "url.authorizer must be aws_iam or none (got 'iam')"),
            ("{ authorizer: aws_iam }", ("--host", ANYWHERE), "a key pair of your own"),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with stack(project(folder, url), *options) as ended:
            assert ended.wait() == 1
        assert says in ended.lines[-1]
