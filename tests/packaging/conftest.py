from __future__ import annotations

import pytest

from tests.packaging.packaged_service import Package, copy_service, package

SECRETS = {
    "OPENAI_API_KEY": "sk-a-key-that-must-stay-here",
    "FORWARD_KEY": "a-forward-key-that-must-stay-here",
    "AZURE_OPENAI_TOKEN": "a-token-that-must-stay-here",
    "EXTRA_API_KEY": "an-extra-key-that-must-stay-here",
}
TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"


@pytest.fixture(scope="session")
def by_default(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Packaged on a machine where nothing is set."""
    return package(copy_service(tmp_path_factory.mktemp("default")), {})


@pytest.fixture(scope="session")
def customized(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Packaged elsewhere, by somebody with keys in the shell and another umask."""
    settings = {
        **SECRETS,
        "FUNCTION_URL_AUTH": "none",
        "WEBSOCKET_AUTH": "aws_iam",
        "OPENAI_MODEL": "another-model",
        "ASCII_QUOTES": "true",
        "LOG_CHAT": "true",
        "ALARM_TOPIC_ARN": TOPIC,
        "RESERVED_CONCURRENCY": "20",
    }
    return package(copy_service(tmp_path_factory.mktemp("customized")), settings, umask=0o077)


@pytest.fixture(scope="session")
def in_production(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Stage prod in another region, with several providers, and nothing that watches over it."""
    settings = {
        "OPENAI_BASE_URL": "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1",
        "UPSTREAM_AUTH": "aws_sigv4",
        "BEDROCK_MODELS": "openai.gpt-oss-20b-1:0,openai.gpt-oss-120b-1:0,"
        "arn:aws:bedrock-mantle:us-west-2:123456789012:project/default,"
        "arn:aws:bedrock:us-west-2:123456789012:guardrail/abc123",
        "EXTRA_BASE_URL": "https://api.example.com/v1,https://open.example.com",
        "EXTRA_ROUTE_PREFIX": "/other,/open",
        "EXTRA_API_KEY_PARAMETER": "/other/key,-",
        "AZURE_OPENAI_TOKEN_PARAMETER": "/azure/token",
    }
    arguments = ["--stage", "prod", "--region", "eu-west-1"]
    for switched_off in ("dashboard=false", "alarms=false", "tracing=PassThrough"):
        arguments += ["--param", switched_off]
    return package(copy_service(tmp_path_factory.mktemp("production")), settings, arguments)
