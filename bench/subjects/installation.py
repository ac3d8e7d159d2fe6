"""The gateways and runtime clients that are measured beside: which versions, and where they are.

`npm run bench -- --install-peers` puts them under bench/.peers, each into a folder of its own, by
pip and npm. They are no part of the project; a bench leaves out what is not there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).parents[1] / ".peers"
NODE_CLIENT = PEERS / "node" / "node_modules" / "aws-lambda-ric" / "index.mjs"
NODE_PACKAGE = "aws-lambda-ric@4.0.2"
STOCK_CLIENT = PEERS / "awslambdaric" / "bin" / "python"
OPENAI_FORWARD = PEERS / "openai-forward" / "bin" / "aifd"
LITELLM = PEERS / "litellm" / "bin" / "litellm"


@dataclass(frozen=True, slots=True)
class PythonPeer:
    """requirements: as pip takes them; versions are pinned, so that results can be compared."""

    name: str
    requirements: tuple[str, ...]


PYTHON_PEERS = (
    PythonPeer("awslambdaric", ("awslambdaric==4.2.2",)),
    PythonPeer("openai-forward", ("openai-forward==0.8.1", "PyYAML")),  # it needs what it forgets
    PythonPeer("litellm", ("litellm[proxy]==1.106.2",)),
)


def install() -> list[str]:
    """Install what is missing; returns a line for each that could not be."""
    PEERS.mkdir(exist_ok=True)
    failures = [failure for peer in PYTHON_PEERS if (failure := _install_python(peer))]
    failure = _install_node()
    return [*failures, failure] if failure else failures


def _install_python(peer: PythonPeer) -> str:
    folder = PEERS / peer.name
    done = folder / "installed"
    if done.is_file() and done.read_text().split() == list(peer.requirements):
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    # Without pip in it: what setuptools leaves in an environment would cost each start of a peer.
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    python = ["--python", str(folder / "bin" / "python")]
    if not _run([sys.executable, "-m", "pip", *python, "install", "-q", *peer.requirements]):
        return f"{peer.name}: pip could not install {' '.join(peer.requirements)}"
    done.write_text("\n".join(peer.requirements))
    return ""


def _install_node() -> str:
    if NODE_CLIENT.with_name("rapid-client.node").is_file():
        return ""
    folder = NODE_CLIENT.parents[2]
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    if not _run(["npm", "install", "--prefix", str(folder), NODE_PACKAGE]):
        return f"{NODE_PACKAGE}: npm could not build it; it needs a C++ compiler, make and cmake"
    return ""


def _run(command: list[str]) -> bool:
    sys.stdout.write(f"$ {' '.join(command)}\n")
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - pip and npm
