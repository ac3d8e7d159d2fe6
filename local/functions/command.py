"""How to run a function of serverless.yml as a process: its /opt, command and environment."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from local.errors import ConfigurationError
from local.functions.execution_environment import FunctionProcess, Tracer
from local.functions.opt_folder import in_opt, lay_layers
from local.project.environment import (
    WRAPPER,
    Credentials,
    function_arn,
    lambda_environment,
)
from local.project.serverless_yml import FunctionSettings, ServiceSettings

STOCK_CLIENT = "/var/runtime/bootstrap.py"
"""The program that Lambda passes to a wrapper; ours ignores it."""


def function_process(
    service: ServiceSettings,
    function: FunctionSettings,
    environment: Mapping[str, str],
    keys: Credentials,
    folder: Path,
    log: Callable[[str], None],
    tracer: Tracer | None = None,
) -> FunctionProcess:
    """Lay the function's layers into `folder` and return how to run it.

    `environment` comes from `function_environment`; `log` gets each line the function prints.
    Raises ConfigurationError, also for a function without an exec wrapper: AWS's own Python
    runtime is not on this machine.
    """
    if not environment.get(WRAPPER):
        raise ConfigurationError(
            f"Function {function.key} cannot run locally without {WRAPPER}. "
            "Set it to /opt/bootstrap in the function's environment."
        )
    opt = folder / function.key / "opt"
    lay_layers(function.layers, opt)
    wrapper = in_opt(environment[WRAPPER], opt)
    if not wrapper.is_file():
        raise ConfigurationError(
            f"Function {function.key}: no layer of the function holds {wrapper.name}, "
            f"which {WRAPPER} names."
        )
    stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{secrets.token_hex(16)}"
    by_lambda = lambda_environment(function, service.runtime, str(service.folder), stream, keys)
    return FunctionProcess(
        key=function.key,
        arn=function_arn(function),
        timeout_s=function.timeout_s,
        command=(str(wrapper), sys.executable, STOCK_CLIENT),
        environ={**environment, **by_lambda, WRAPPER: str(wrapper)},
        folder=service.folder,
        log=log,
        tracer=tracer,
    )
