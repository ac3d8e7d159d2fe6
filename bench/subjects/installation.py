"""The peers that benches compare with: their versions and folders.

`npm run bench -- --install-peers` installs them by pip and npm, each into its own folder under
bench/.peers. They are not part of the project. A bench leaves out what is not installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.subjects.deployed_python import deployed_python

PEERS = Path(__file__).parents[1] / ".peers"
NODE_MODULES = PEERS / "node" / "node_modules"
NODE_CLIENT = NODE_MODULES / "aws-lambda-ric" / "index.mjs"
ESBUILD = NODE_MODULES / ".bin" / "esbuild"
NODE_PACKAGES = ("aws-lambda-ric@4.0.2", "@aws-sdk/client-ssm@3.1169.0", "esbuild@0.28.2")
STOCK_CLIENT = PEERS / "awslambdaric" / "bin" / "python"
LAMBDA_PYTHON = PEERS / "lambda-python" / "bin" / "python"
"""The deployed Python with AWS's client and boto3, which Lambda brings along."""
OPENAI_FORWARD = PEERS / "openai-forward" / "bin" / "aifd"
LITELLM = PEERS / "litellm" / "bin" / "litellm"
DONE = "installed"
"""File in a peer's folder: the packages that were installed."""


@dataclass(frozen=True, slots=True)
class PythonPeer:
    """requirements: for pip, with pinned versions, so that results can be compared.

    is_deployed: on the Python that is deployed, if this machine has it.
    """

    name: str
    requirements: tuple[str, ...]
    is_deployed: bool = False


PYTHON_PEERS = (
    PythonPeer("awslambdaric", ("awslambdaric==4.2.2",)),
    PythonPeer(
        "lambda-python",
        ("awslambdaric==4.2.2", "boto3==1.44.8", "requests==2.34.2", "sseclient-py==1.9.0"),
        is_deployed=True,
    ),
    PythonPeer("openai-forward", ("openai-forward==0.8.1", "PyYAML")),  # it does not declare PyYAML
    PythonPeer("litellm", ("litellm[proxy]==1.106.2",)),
)


def install() -> list[str]:
    """Install what is missing; return a line for each failure."""
    PEERS.mkdir(exist_ok=True)
    failures = [failure for peer in PYTHON_PEERS if (failure := _install_python(peer))]
    failure = _install_node()
    return [*failures, failure] if failure else failures


def _install_python(peer: PythonPeer) -> str:
    folder = PEERS / peer.name
    if _is_done(folder, peer.requirements):
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    # Without pip: what setuptools leaves in an environment would slow each start of a peer.
    own = (deployed_python() if peer.is_deployed else None) or sys.executable
    _run([own, "-m", "venv", "--without-pip", str(folder)])
    python = ["--python", str(folder / "bin" / "python")]
    if not _run([sys.executable, "-m", "pip", *python, "install", "-q", *peer.requirements]):
        return f"{peer.name}: pip could not install {' '.join(peer.requirements)}"
    _set_done(folder, peer.requirements)
    return ""


def _install_node() -> str:
    folder = NODE_MODULES.parent
    if _is_done(folder, NODE_PACKAGES):
        return ""
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    if not _run(["npm", "install", "--prefix", str(folder), *NODE_PACKAGES]):
        names = " ".join(NODE_PACKAGES)
        return f"{names}: npm could not build them (requires a C++ compiler, make and cmake)"
    _set_done(folder, NODE_PACKAGES)
    return ""


def _is_done(folder: Path, packages: tuple[str, ...]) -> bool:
    done = folder / DONE
    return done.is_file() and done.read_text().split() == list(packages)


def _set_done(folder: Path, packages: tuple[str, ...]) -> None:
    (folder / DONE).write_text("\n".join(packages))


def _run(command: list[str]) -> bool:
    sys.stdout.write(f"$ {' '.join(command)}\n")
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - pip and npm
