"""`npx sls …` as a user runs it, on a copy of the service and against an account of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.cloud_account import CloudAccount
from tests.packaging.packaged_service import CHECKOUT, PACKAGE_TIMEOUT_S, copy_service

POLL_MS = "200"  # osls asks CloudFormation every five seconds, moto is done at once


@dataclass(frozen=True, slots=True)
class Deployment:
    """A copy of the service and the account that it is deployed into."""

    service: Path
    account: CloudAccount

    def sls(self, *arguments: str, **settings: str) -> str:
        """Run `npx sls` to its success, with `settings` in its shell; returns what it said."""
        finished = self._run(arguments, settings)
        assert finished.returncode == 0, finished.stdout
        return finished.stdout

    def refused(self, *arguments: str, **settings: str) -> str:
        """Run `npx sls` to its failure; returns what it said."""
        finished = self._run(arguments, settings)
        assert finished.returncode == 1, finished.stdout
        return finished.stdout

    def _run(
        self, arguments: Sequence[str], settings: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        home = self.service.parent / f"{self.service.name}-home"
        home.mkdir(exist_ok=True)
        return subprocess.run(
            ["npx", "--no-install", "sls", *arguments],
            cwd=self.service,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "npm_config_update_notifier": "false",
                "SLS_AWS_MONITORING_FREQUENCY": POLL_MS,
                "NODE_NO_WARNINGS": "1",
                **self.account.environment,
                **settings,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PACKAGE_TIMEOUT_S,
            check=False,
        )


def new_deployment(folder: Path, account: CloudAccount) -> Deployment:
    service = copy_service(folder)
    for packages in (CHECKOUT / ".build").glob("packages-*"):  # named by a hash of the lock
        shutil.copytree(packages, service / ".build" / packages.name)
    return Deployment(service, account)
