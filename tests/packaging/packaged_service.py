"""Run the real `npx sls package` on a copy of the service and read what it made."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
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

# Seconds. Packaging takes about five; the rest is for a slow package registry.
PACKAGE_TIMEOUT_S = 240


@dataclass(frozen=True, slots=True)
class Package:
    """What `sls package` left in its folder, and what it said meanwhile."""

    folder: Path
    said: str

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


def copy_service(folder: Path) -> Path:
    """Lay out the service in `folder`, with some files that must not be shipped."""
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
    return folder


def text_of_sub(value: Mapping[str, Any]) -> str:
    """Return the text of an Fn::Sub, which may come with a mapping of variables."""
    sub = value["Fn::Sub"]
    text = sub if isinstance(sub, str) else sub[0]
    assert isinstance(text, str)
    return text


def run_sls_package(
    service: Path, environment: Mapping[str, str], arguments: Sequence[str] = (), umask: int = 0o022
) -> subprocess.CompletedProcess[str]:
    """Package with an empty home, no credentials and no variable but PATH and `environment`."""
    home = service.parent / f"{service.name}-home"
    home.mkdir(exist_ok=True)
    bare = {"PATH": os.environ["PATH"], "HOME": str(home), "npm_config_update_notifier": "false"}
    return subprocess.run(
        ["npx", "--no-install", "sls", "package", *arguments],
        cwd=service,
        env={**bare, **environment},
        umask=umask,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PACKAGE_TIMEOUT_S,
        check=False,
    )


def package(
    service: Path, environment: Mapping[str, str], arguments: Sequence[str] = (), umask: int = 0o022
) -> Package:
    finished = run_sls_package(service, environment, arguments, umask)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return Package(service / ".serverless", finished.stderr)
