"""Commands that start a function: with Sluice's runtime, AWS's Node.js or AWS's Python client."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measurement.machine import CHECKOUT
from bench.measurement.processors import SUBJECT, running_on
from bench.subjects.installation import ESBUILD, NODE_CLIENT, NODE_MODULES, STOCK_CLIENT
from scripts.build_layers import build_layers, compile_layers, locked_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
PASS_THROUGH = Path(__file__).with_name("pass_through.mjs")
DEPLOYED_PASS_THROUGH = Path(__file__).with_name("deployed_pass_through.mjs")
# What makes it start soonest, as AWS advises.
# https://aws.amazon.com/blogs/compute/optimizing-node-js-dependencies-in-aws-lambda/
REQUIRE = "import{createRequire}from'module';const require=createRequire(import.meta.url);"
BUNDLING = ("--bundle", "--minify", "--platform=node", "--format=esm", "--main-fields=module,main")
GRACE_S = 5.0  # for a process to end


@dataclass(frozen=True, slots=True)
class Start:
    """A command that starts a runtime. environ: complete except for the Runtime API's address."""

    command: list[str]
    environ: Mapping[str, str]

    def with_api(self, address: str) -> dict[str, str]:
        return {**self.environ, "AWS_LAMBDA_RUNTIME_API": address}


def bare_python(folder: Path, python: str = sys.executable) -> str:
    """A Python with nothing installed, as on Lambda: a package's .pth file can cost 30 ms."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)  # noqa: S603 - of this machine
    return str(folder / "bin" / "python")


def opt_folder(folder: Path, python: str = "") -> Path:
    """Both layers merged as in /opt, with bytecode for `python` if it is given."""
    version, architecture = platform.python_version_tuple(), ARCHITECTURES[platform.machine()]
    packages = locked_packages(
        CHECKOUT / "layers" / "shared" / "requirements.txt",
        ".".join(version[:2]),
        architecture,
        CHECKOUT / ".build" / "bench",
        os.environ,
    )
    built, opt = folder / "layers", folder / "opt"
    build_layers(CHECKOUT / "layers", built, packages)
    if python:
        compile_layers(built, python)
    for layer in ("runtime", "shared"):
        shutil.copytree(built / layer, opt, dirs_exist_ok=True)
    return opt


def our_runtime(
    python: str, opt: Path, task_root: Path, handler: str, environ: Mapping[str, str] | None = None
) -> Start:
    command = [str(opt / "bootstrap"), python, "/var/runtime/bootstrap.py"]
    return Start(command, {**_lambda_environ(task_root, handler), **(environ or {})})


def node_runtime(folder: Path, environ: Mapping[str, str] | None = None) -> Start | None:
    """AWS's Node.js client with the pass-through handler; None if not installed."""
    node = shutil.which("node")
    if node is None or not NODE_CLIENT.is_file():
        return None
    shutil.copy(PASS_THROUGH, folder / "pass_through.mjs")
    name = "pass_through.handler"
    return Start(
        [node, str(NODE_CLIENT), name], {**_lambda_environ(folder, name), **(environ or {})}
    )


def bundled_node_runtime(folder: Path, environ: Mapping[str, str]) -> Start | None:
    """AWS's Node.js client; the handler reads its key by AWS's SDK and is bundled by esbuild."""
    node = shutil.which("node")
    if node is None or not NODE_CLIENT.is_file() or not ESBUILD.exists():
        return None
    subprocess.run(  # noqa: S603 - an installed peer
        [
            ESBUILD,
            DEPLOYED_PASS_THROUGH,
            *BUNDLING,
            f"--banner:js={REQUIRE}",
            f"--outfile={folder / 'bundle.mjs'}",
        ],
        env={**os.environ, "NODE_PATH": str(NODE_MODULES)},
        stderr=subprocess.DEVNULL,
        check=True,
    )
    name = "bundle.handler"
    return Start([node, str(NODE_CLIENT), name], {**_lambda_environ(folder, name), **environ})


def stock_runtime(
    task_root: Path,
    handler: str,
    environ: Mapping[str, str] | None = None,
    opt: Path | None = None,
    client: Path = STOCK_CLIENT,
) -> Start | None:
    """AWS's Python client, which does not stream; None if not installed. opt: with layers."""
    if not client.exists():
        return None
    folders = [task_root, *([opt / "python"] if opt else [])]
    path = {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    variables = {**_lambda_environ(task_root, handler), **path, **(environ or {})}
    return Start([str(client), "-m", "awslambdaric", handler], variables)


@contextmanager
def running(
    start: Start, address: str, prepare: Callable[[], None] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the runtime on the subject's processor; BENCH_SHOW_OUTPUT=1 shows its output.

    prepare: called in the new process, before exec.
    """
    output = None if os.environ.get("BENCH_SHOW_OUTPUT") else subprocess.DEVNULL
    with running_on(SUBJECT):
        process = subprocess.Popen(  # noqa: S603 - what is measured
            start.command,
            preexec_fn=prepare,  # noqa: PLW1509 - no thread holds a lock here
            env=start.with_api(address),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(GRACE_S)


def function_environ(upstream_port: int, **more: str) -> dict[str, str]:
    """The functions' settings: an upstream on loopback, nothing that requires an account."""
    return {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}/v1",
        "OPENAI_API_KEY": "sk-upstream",
        "FUNCTION_URL_AUTH": "aws_iam",
        "WEBSOCKET_AUTH": "none",
        **more,
    }


def _lambda_environ(task_root: Path, handler: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LAMBDA_TASK_ROOT": str(task_root),
        "_HANDLER": handler,
        "PYTHONDONTWRITEBYTECODE": "1",  # as if the folder were read-only
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
