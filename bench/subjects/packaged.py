"""The service as `sls package` packages it: unpacked as on Lambda, with its deployed settings."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measurement.machine import CHECKOUT
from bench.subjects.runtimes import Start, our_runtime
from scripts.build_layers import (
    CERTIFICATE_FOLDER,
    CERTIFICATES,
    add_certificate_folder,
    cache_tag,
    compile_layers,
)
from tests.packaging.lambda_layout import unpack
from tests.packaging.packaged_service import copy_service

if TYPE_CHECKING:
    from collections.abc import Mapping

CACHE = CHECKOUT / ".build" / "bench"
"""Keeps the layers' packages from one run to the next."""
LAYERS = ("runtime", "shared")  # in their order


@dataclass(frozen=True, slots=True)
class PackagedService:
    """task_root, opt: /var/task and /opt. settings: the deployed environment of each function."""

    python: str
    task_root: Path
    opt: Path
    settings: Mapping[str, Mapping[str, str]]

    def start(self, function: str, environ: Mapping[str, str]) -> Start:
        """A start of the function. environ: what replaces its settings, or is added to them."""
        handler = f"functions/{function}/handler.handler"
        return our_runtime(
            self.python, self.opt, self.task_root, handler, {**self.settings[function], **environ}
        )

    def trust(self, authority: Path) -> None:
        """Add a certificate to those that the layer brings along."""
        bundle = self.opt / "python" / CERTIFICATES
        with bundle.open("ab") as file:
            file.write(authority.read_bytes())
        shutil.rmtree(bundle.with_name(CERTIFICATE_FOLDER), ignore_errors=True)
        add_certificate_folder(bundle)


def package_service(folder: Path, python: str) -> PackagedService:
    """Package and unpack it in `folder`, which is empty, for this Python of the machine."""
    CACHE.mkdir(parents=True, exist_ok=True)
    service = copy_service(folder / "service", packages=CACHE)
    package = service.package(PATH=f"{Path(python).parent}:{os.environ.get('PATH', os.defpath)}")
    for packages in service.folder.glob(".build/packages-*"):
        shutil.copytree(packages, CACHE / packages.name, dirs_exist_ok=True)
    task_root, opt = folder / "var" / "task", folder / "layers" / "opt"
    for layer in LAYERS:
        unpack(package.folder / f"{layer}.zip", opt)
    functions = package.functions()
    for function in functions:
        unpack(package.folder / f"{function}.zip", task_root)
    tag = cache_tag(python)
    if not (opt / "python" / "awslambda" / "__pycache__" / f"__main__.{tag}.pyc").is_file():
        compile_layers(opt.parent, python)  # this Python is not the deployed one
    settings = {
        name: _texts(function["Environment"]["Variables"], package.template)
        for name, function in functions.items()
    }
    return PackagedService(python, task_root, opt, settings)


def _texts(variables: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, str]:
    """The variables as CloudFormation fills them in; a reference to a table is its name."""
    texts = {}
    for name, value in variables.items():
        if isinstance(value, str):
            texts[name] = value
        elif table := value.get("Ref"):
            texts[name] = template["Resources"][table]["Properties"]["TableName"]
    return texts
