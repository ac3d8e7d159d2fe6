"""Tools written for AWS's client run on this runtime: Sentry, Powertools, exec wrappers."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import BOOTSTRAP, running

if TYPE_CHECKING:
    from pathlib import Path

SENTRY = """
import awslambda, sentry_sdk
from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration
from sentry_sdk.transport import Transport

class Printing(Transport):
    kept = []
    def capture_envelope(self, envelope):
        self.kept += [item.payload.json for item in envelope.items]
    def flush(self, *_, **__):
        while self.kept:
            item = self.kept.pop(0)
            errors = [error["type"] for error in item.get("exception", {}).get("values", [])]
            print("flushed", *errors or [item["type"]], item["extra"]["lambda"]["aws_request_id"])

sentry_sdk.init("http://key@127.0.0.1:9/1", transport=Printing, traces_sample_rate=1.0,
                auto_enabling_integrations=False, integrations=[AwsLambdaIntegration()])
"""
POWERTOOLS = """
import awslambda
from aws_lambda_powertools import Logger
logger = Logger(service="mine")

@logger.inject_lambda_context
def handler(event, context, response_stream=None):
    logger.info("told")
    if response_stream:
        response_stream.write("x")

@awslambda.streamify_response
def streamed(event, response_stream, context):
    return handler(event, context, response_stream)
"""
OTHER_WRAPPER = """#!/bin/sh
export FROM_OTHER_WRAPPER="$SECOND_ARGUMENT"
exec "$@"
"""
CHAIN = """#!/bin/sh
SECOND_ARGUMENT=$2 exec {other} {ours} "$@"
"""


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None, reason=f"{module} is not installed"
    )


@needs("sentry_sdk")
@pytest.mark.parametrize(
    ("handler", "leaf", "flushed"),
    [
        ("def handler(event, context): return 1", "response", ["transaction"]),
        ("def handler(event, context): raise LookupError", "error", ["LookupError", "transaction"]),
        ("async def handler(event, context): 1 / 0", "error", ["ZeroDivisionError", "transaction"]),
        (
            "@awslambda.streamify_response\n"
            "def handler(event, stream, context): stream.write('x'); raise LookupError",
            "response",
            ["LookupError", "transaction"],
        ),
    ],
)
def test_sentrys_integration_captures_and_sends_before_the_next_event(
    tmp_path: Path, handler: str, leaf: str, flushed: list[str]
) -> None:
    with running(tmp_path, SENTRY + handler, AWS_LAMBDA_FUNCTION_VERSION="1") as runtime:
        for request_id in ("first", "second"):
            runtime.api.give_event(Lambda_Runtime_Aws_Request_Id=request_id)
            posted = runtime.api.read_request()
            assert posted.target.endswith(f"/{request_id}/{leaf}")
            runtime.api.reply(202)
            lines = runtime.new_output().splitlines()
            sent = [line for line in lines if line.startswith("flushed")]
            assert sent == [f"flushed {what} {request_id}" for what in flushed]


@needs("sentry_sdk")
def test_sentrys_integration_captures_a_failed_start(tmp_path: Path) -> None:
    with running(tmp_path, f"{SENTRY}raise LookupError") as runtime:
        runtime.api.read_request()
        runtime.api.reply(202)
        assert "LookupError" in runtime.finish()[1]


@needs("aws_lambda_powertools")
@pytest.mark.parametrize("handler", ["app.handler", "app.streamed"])
def test_powertools_logger_gets_the_context(tmp_path: Path, handler: str) -> None:
    with running(tmp_path, POWERTOOLS, handler, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512") as runtime:
        answer = runtime.api.answer_to(b"{}")
        (line,) = map(json.loads, runtime.new_output().splitlines())
    assert answer.body == (b"x" if handler == "app.streamed" else b"null")
    assert (line["message"], line["service"]) == ("told", "mine")
    assert (line["function_name"], line["function_memory_size"]) == ("f", "512")
    assert line["function_arn"].startswith("arn:aws:lambda:")


def test_exec_wrappers_are_chained_by_a_third_script(tmp_path: Path) -> None:
    other, chain = tmp_path / "other", tmp_path / "chain"
    other.write_text(OTHER_WRAPPER)
    chain.write_text(CHAIN.format(other=other, ours=BOOTSTRAP))
    for script in (other, chain):
        script.chmod(0o755)
    source = (
        "import os, sys\ndef handler(e, c): return [os.environ['FROM_OTHER_WRAPPER'], sys.path]"
    )
    command = (chain, sys.executable, "/var/runtime/bootstrap.py")
    with running(tmp_path, source, command=command) as runtime:
        seen, path = json.loads(runtime.api.answer_to().body)
    assert seen == "/var/runtime/bootstrap.py"
    assert str(BOOTSTRAP.parent / "python") in path
