"""One deployment's life, from `sls deploy` to `sls remove`, lived once for all tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.smoke.settings import deployed_addresses, parse
from scripts.smoke.target import Addresses
from tests.deploy.account_contents import AccountContents, download_artifacts, look_into
from tests.deploy.cloud_account import cloud_account
from tests.deploy.connection_probe import ConnectionProbe, probe_connections
from tests.deploy.deployment import Deployment, new_deployment

CHANGED_MODEL = "another-model"


@dataclass(frozen=True, slots=True)
class Step:
    """What a command said, and what was in the account afterwards."""

    said: str
    account: AccountContents


@dataclass(frozen=True, slots=True)
class DeploymentLife:
    """Each step of the deployment.

    `connections`: what the deployed zips of two functions did in the account. `addresses`: what
    `npm run smoke` found there. `artifacts`: a folder with the deployed zips.
    """

    deployed: Step
    repeated: Step
    changed: Step
    info: str
    addresses: Addresses
    connections: ConnectionProbe
    removed: Step
    artifacts: Path


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> DeploymentLife:
    artifacts = tmp_path_factory.mktemp("artifacts")
    with cloud_account() as account:
        deployment = new_deployment(tmp_path_factory.mktemp("deployed"), account)
        deployed = step(deployment, "deploy")
        download_artifacts(account, deployed.account.buckets[0], artifacts)
        folder = tmp_path_factory.mktemp("probed")
        connections = probe_connections(account, deployed.account.functions, artifacts, folder)
        repeated = step(deployment, "deploy")
        change(deployment.service)
        return DeploymentLife(
            deployed,
            repeated,
            changed=step(deployment, "deploy", OPENAI_MODEL=CHANGED_MODEL),
            info=deployment.sls("info"),
            addresses=deployed_addresses(account.client("cloudformation"), parse([])),
            removed=step(deployment, "remove"),
            connections=connections,
            artifacts=artifacts,
        )


def step(deployment: Deployment, command: str, **settings: str) -> Step:
    said = deployment.sls(command, **settings)
    return Step(said, look_into(deployment.account))


def change(service: Path) -> None:
    """Give one function and the shared layer another content."""
    for module in ("functions/stream/handler.py", "layers/shared/python/sluice/__init__.py"):
        with (service / module).open("a") as file:
            file.write("\nCHANGED = True\n")
