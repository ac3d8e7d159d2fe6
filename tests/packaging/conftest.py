"""One deployment's life, and two further packages, each made once for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.access.addresses import Addresses, deployed_addresses
from tests.packaging.account_contents import AccountContents, look_into
from tests.packaging.cloud_account import CloudAccount, cloud_account
from tests.packaging.connection_probe import ConnectionProbe, probe_connections
from tests.packaging.packaged_service import Package, Service, copy_service

SECRETS = {
    "OPENAI_API_KEY": "sk-a-key-that-must-stay-here",
    "FORWARD_KEY": "a-forward-key-that-must-stay-here",
    "AZURE_OPENAI_TOKEN": "a-token-that-must-stay-here",
    "EXTRA_API_KEY": "an-extra-key-that-must-stay-here",
}
TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"
CHANGED_MODEL = "another-model"


@dataclass(frozen=True, slots=True)
class Step:
    """What a command printed, and what was in the account afterwards."""

    printed: str
    account: AccountContents


@dataclass(frozen=True, slots=True)
class DeploymentLife:
    """The steps after the first deployment.

    `connections` is what the deployed zips of two functions did in the account, `addresses` what
    `npm run smoke` found there, `of_stream` and `of_connect` what `sls deploy function` printed.
    """

    connections: ConnectionProbe
    repeated: Step
    changed: Step
    addresses: Addresses
    of_stream: str
    of_connect: str
    after_functions: AccountContents
    removed: Step


@pytest.fixture(scope="session")
def account() -> Iterator[CloudAccount]:
    with cloud_account() as account:
        yield account


@pytest.fixture(scope="session")
def service(account: CloudAccount, tmp_path_factory: pytest.TempPathFactory) -> Service:
    return copy_service(tmp_path_factory.mktemp("deployed"), account.environment)


@pytest.fixture(scope="session")
def deployed(service: Service, account: CloudAccount) -> Step:
    """The first deployment, without any setting."""
    return step(service, account)


@pytest.fixture(scope="session")
def by_default(
    service: Service, deployed: Step, tmp_path_factory: pytest.TempPathFactory
) -> Package:
    """What was packaged for the first deployment."""
    kept = tmp_path_factory.mktemp("default") / "package"
    shutil.copytree(service.folder / ".serverless", kept)
    return Package(kept, deployed.printed)


@pytest.fixture(scope="session")
def life(
    service: Service,
    account: CloudAccount,
    deployed: Step,
    by_default: Package,
    tmp_path_factory: pytest.TempPathFactory,
) -> DeploymentLife:
    functions = deployed.account.functions
    connections = probe_connections(
        account, functions, by_default.folder, tmp_path_factory.mktemp("probed")
    )
    repeated = step(service, account)
    change(service, "functions/stream/handler.py", "layers/shared/python/sluice/__init__.py")
    changed = step(service, account, OPENAI_MODEL=CHANGED_MODEL)
    change(service, "functions/stream/handler.py")
    return DeploymentLife(
        connections,
        repeated,
        changed,
        addresses=deployed_addresses(account.client("cloudformation"), "sluice-dev"),
        of_stream=service.sls("deploy", "function", "--function", "stream"),
        of_connect=service.refused(
            "deploy", "function", "--function", "connect", WEBSOCKET_AUTH="aws_iam"
        ),
        after_functions=look_into(account),
        removed=Step(service.sls("remove"), look_into(account)),
    )


def step(service: Service, account: CloudAccount, **settings: str) -> Step:
    printed = service.sls("deploy", **settings)
    return Step(printed, look_into(account))


def change(service: Service, *modules: str) -> None:
    for module in modules:
        with (service.folder / module).open("a") as file:
            file.write("\nCHANGED = True\n")


CUSTOM = {
    **SECRETS,
    "FUNCTION_URL_AUTH": "none",
    "WEBSOCKET_AUTH": "aws_iam",
    "OPENAI_MODEL": "another-model",
    "ASCII_QUOTES": "true",
    "LOG_CHAT": "true",
    "CACHE_CHAT_COMPLETION": "true",
    "ALARM_TOPIC_ARN": TOPIC,
    "BUDGET_ALARM": "true",
    "SPEND_ALARM": "2.5",
    "TOKEN_ALARM": "1000000",
    "FIRST_TOKEN_ALARM": "1.5",
    "TRACING": "true",
    "RESERVED_CONCURRENCY": "20",
    "WEBSOCKET_RATE": "7",
    "WEBSOCKET_BURST": "9",
}
SEVERAL_PROVIDERS = {
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
PRODUCTION = "--stage prod --region eu-west-1 --param dashboard=false --param alarms=false"
TRACED = "--param tracing=true"


@pytest.fixture(scope="session")
def packages(service: Service, by_default: Package) -> Path:
    """The packages of the layers, installed for the first deployment."""
    assert by_default
    return service.folder / ".build"


@pytest.fixture(scope="session")
def customized(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Packaged in another folder, with keys in the shell and another umask."""
    service = copy_service(tmp_path_factory.mktemp("customized"), packages=packages, umask=0o077)
    return service.package(**CUSTOM)


@pytest.fixture(scope="session")
def in_production(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Stage prod in another region, with several providers, without alarms and dashboard."""
    service = copy_service(tmp_path_factory.mktemp("production"), packages=packages)
    return service.package(*PRODUCTION.split(), *TRACED.split(), **SEVERAL_PROVIDERS)
