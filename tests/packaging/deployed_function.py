"""Starts a function as Lambda does: from unpacked zips, with the deployed environment."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.awslambda.scripted_runtime_api import RuntimeApi


def layers_of(deployed: Mapping[str, Any]) -> list[str]:
    """Return the names of the function's layers, in order, without service and stage."""
    return [layer["Arn"].split(":")[6].rpartition("-")[2] for layer in deployed["Layers"]]


@contextmanager
def started(
    deployed: Mapping[str, Any], python: Path, root: Path, **environ: str
) -> Iterator[RuntimeApi]:
    """Start a function whose files are below `root`; it uses the Runtime API that this yields.

    `deployed` is its configuration in Lambda; `environ` has further variables.
    """
    api = RuntimeApi()
    task = root / "var" / "task"
    variables = {
        **deployed["Environment"]["Variables"],
        "PATH": "/usr/bin:/bin",
        "AWS_LAMBDA_FUNCTION_NAME": deployed["FunctionName"],
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": str(task),
        "_HANDLER": deployed["Handler"],
        **environ,
    }
    command = [str(root / "opt" / "bootstrap"), str(python), "/var/runtime/bootstrap.py"]
    with subprocess.Popen(command, cwd=task, env=variables) as process:
        try:
            yield api
        finally:
            process.kill()
            api.close()
