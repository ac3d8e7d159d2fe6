"""Copies of the service, the real sls on them, and what it packages."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]

# Copied, so that neither .env nor .serverless of the checkout takes part.
COPIED = (
    "deployment",
    "functions",
    "layers",
    "package.json",
    "serverless.yml",
)
# Linked, so that the plugin finds the checkout's own .venv.
LINKED = ("node_modules", "scripts")

SLS_TIMEOUT_S = 240
"""Maximum time of a command: it takes three seconds, and longer with a slow package registry."""

POLL_MS = "200"
"""Time between two looks at a deployment: moto is done at once, osls would wait five seconds."""


@dataclass(frozen=True, slots=True)
class Package:
    """What `sls` left in its folder, and what it printed meanwhile."""

    folder: Path
    printed: str

    @property
    def template(self) -> dict[str, Any]:
        text = (self.folder / "cloudformation-template-update-stack.json").read_text()
        template: dict[str, Any] = json.loads(text)
        return template

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the properties of the resources of one CloudFormation type by logical id."""
        resources = self.template["Resources"].items()
        return {
            name: resource["Properties"] for name, resource in resources if resource["Type"] == kind
        }

    def functions(self) -> dict[str, dict[str, Any]]:
        """Return the properties of the functions by their names in serverless.yml."""
        found = self.of_type("AWS::Lambda::Function").values()
        return {function["FunctionName"].split("-")[2]: function for function in found}

    def variables(self) -> list[dict[str, Any]]:
        """Return the environment of each function."""
        return [each["Environment"]["Variables"] for each in self.functions().values()]

    def statements(self, function: str) -> list[dict[str, Any]]:
        """Return what the role of a function allows."""
        logical_id, _ = self.functions()[function]["Role"]["Fn::GetAtt"]
        (policy,) = self.of_type("AWS::IAM::Role")[logical_id]["Policies"]
        statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
        return statements

    def names_in(self, artifact: str) -> list[str]:
        with zipfile.ZipFile(self.folder / f"{artifact}.zip") as archive:
            return archive.namelist()

    def modes_in(self, artifact: str) -> dict[str, int]:
        with zipfile.ZipFile(self.folder / f"{artifact}.zip") as archive:
            return {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}

    def sha256_of(self, artifact: str) -> str:
        return hashlib.sha256((self.folder / f"{artifact}.zip").read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Service:
    """A copy of the service; `account` has the variables that lead AWS's tools to an account."""

    folder: Path
    account: Mapping[str, str]
    umask: int

    def sls(self, *arguments: str, **settings: str) -> str:
        """Run sls to its success and return what it printed."""
        finished = self._run(arguments, settings)
        assert finished.returncode == 0, finished.stdout
        return finished.stdout

    def refused(self, *arguments: str, **settings: str) -> str:
        """Run sls to its failure and return what it printed, which is no stack trace."""
        finished = self._run(arguments, settings)
        assert finished.returncode == 1, finished.stdout
        assert "    at " not in finished.stdout
        return finished.stdout

    def package(self, *arguments: str, **settings: str) -> Package:
        printed = self.sls("package", *arguments, **settings)
        return Package(self.folder / ".serverless", printed)

    def _run(
        self, arguments: tuple[str, ...], settings: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        home = self.folder.parent / f"{self.folder.name}-home"
        home.mkdir(exist_ok=True)
        return subprocess.run(
            [self.folder / "node_modules/.bin/sls", *arguments],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "SLS_AWS_MONITORING_FREQUENCY": POLL_MS,
                **self.account,
                **settings,
            },
            umask=self.umask,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SLS_TIMEOUT_S,
            check=False,
        )


def copy_service(
    folder: Path,
    account: Mapping[str, str] | None = None,
    packages: Path | None = None,
    umask: int = 0o022,
) -> Service:
    """Lay out the service in `folder`, with some files that must not be shipped.

    `packages` is the .build folder of a copy that has installed the packages of the layers.
    """
    folder.mkdir(exist_ok=True)
    for name in COPIED:
        source = CHECKOUT / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / name)
    for name in LINKED:
        (folder / name).symlink_to(CHECKOUT / name)
    for place in ("functions/connect", "layers/runtime/python/awslambda"):
        leftover = folder / place / "__pycache__" / "leftover.cpython-313.pyc"
        leftover.parent.mkdir(exist_ok=True)
        leftover.write_bytes(b"not to be shipped")
    (folder / "functions" / "connect" / "notes.txt").write_text("not to be shipped")
    if packages is not None:
        shutil.copytree(packages, folder / ".build", ignore=shutil.ignore_patterns("layers"))
    return Service(folder, account or {}, umask)


def text_of_sub(value: Mapping[str, Any]) -> str:
    """Return the text of an Fn::Sub, which may come with a mapping of variables."""
    sub = value["Fn::Sub"]
    text = sub if isinstance(sub, str) else sub[0]
    assert isinstance(text, str)
    return text
