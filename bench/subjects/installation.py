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

PEERS = Path(__file__).parents[1] / ".peers"
NODE_CLIENT = PEERS / "node" / "node_modules" / "aws-lambda-ric" / "index.mjs"
NODE_PACKAGE = "aws-lambda-ric@4.0.2"
STOCK_CLIENT = PEERS / "awslambdaric" / "bin" / "python"
OPENAI_FORWARD = PEERS / "openai-forward" / "bin" / "aifd"
LITELLM = PEERS / "litellm" / "bin" / "litellm"


@dataclass(frozen=True, slots=True)
class PythonPeer:
    """requirements: for pip, with pinned versions, so that results can be compared."""

    name: str
    requirements: tuple[str, ...]


PYTHON_PEERS = (
    PythonPeer("awslambdaric", ("awslambdaric==4.2.2",)),
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
    done = folder / "installed"
    if done.is_file() and done.read_text().split() == list(peer.requirements):
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    # Without pip: what setuptools leaves in an environment would slow each start of a peer.
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
        return f"{NODE_PACKAGE}: npm could not build it (requires a C++ compiler, make and cmake)"
    return ""


def _run(command: list[str]) -> bool:
    sys.stdout.write(f"$ {' '.join(command)}\n")
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - pip and npm
