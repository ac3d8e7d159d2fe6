"""The command `python -m local`: options, settings, signals, exit status."""

from __future__ import annotations

import argparse
import asyncio
import platform
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from local.banner import banner
from local.console import Console
from local.errors import ConfigurationError, LocalStackError
from local.limits import DEFAULT_CONCURRENCY
from local.models.catalog import MODELS, Platform, check_platform, model_named
from local.models.installation import MODELS_FOLDER, Installation, check_consent
from local.npm_options import with_npm_options
from local.open_files import OpenFiles
from local.other_banner import other_banner
from local.project.dotenv_file import dotenv_of_stage, read_dotenv
from local.project.environment import UserSettings
from local.project.ignored_variables import ignored, refusal, warning
from local.project.proxy_address import DEFAULT_ADDRESS, VARIABLE, proxy_address
from local.project.serverless_yml import ServiceFile, ServiceSettings
from local.stack import Stack, StackOptions

UNKNOWN = (
    "Unknown option or argument. Write another port like this: npm start -- --http-port 3100. "
    "All options: npm start -- --help"
)


def main(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    out: TextIO = sys.stdout,
    err: TextIO = sys.stderr,
    stdin: TextIO = sys.stdin,
) -> int:
    """Run the local stack until Ctrl-C or SIGTERM; return the exit status."""
    console = Console(out)
    failure = ""
    try:
        options = parse(arguments, environ)
        file = ServiceFile(options.config)
        stage = file.stage(environ, options.stage)
        user = read_user_settings(options.config, environ, stage)
        if file.is_gateway():
            check_ignored(user, file.env_names(), console)
        service = file.service(user.merged(), stage)
        model = chosen_model(options, service, stdin, out)
        asyncio.run(_run(service, user, stack_options(options, user, model), console))
    except LocalStackError as error:
        failure = str(error)
    finally:
        console.close()
    if failure:
        # After all other output, and even if the console is stuck.
        err.write(f"error: {failure}\n")
    return 1 if failure else 0


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> argparse.Namespace:
    """Return the options of the command line, also those that npm took.

    Raises ConfigurationError, and SystemExit with the usage.
    """
    options = parser()
    defaults = vars(options.parse_args([]))
    flags = [name for name, default in defaults.items() if default is False]
    names = [name for name in defaults if name not in flags]
    flags.remove("yes")  # npm has a setting of this name, which says nothing about a model
    words = with_npm_options(arguments, environ, names, flags)
    found, unknown = options.parse_known_args(words)
    if unknown:
        raise ConfigurationError(UNKNOWN)
    found.config = config_file(found.config, environ)
    return found


def config_file(given: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the file to read. npm changes into the checkout, and says where the user was."""
    if given is None:
        return Path("serverless.yml")
    is_npm = environ.get("npm_lifecycle_event") == "start"
    return Path(environ.get("INIT_CWD", "") if is_npm else "") / given


def read_user_settings(config: Path, environ: Mapping[str, str], stage: str) -> UserSettings:
    """Return the shell's variables and those of the `.env` file next to serverless.yml."""
    file = dotenv_of_stage(config.resolve().parent, stage)
    return UserSettings(dict(environ), read_dotenv(file, environ))


def chosen_model(
    options: argparse.Namespace, service: ServiceSettings, stdin: TextIO, out: TextIO
) -> Installation | None:
    """Return the model to run instead of the demo model, once it may be installed.

    Raises ConfigurationError.
    """
    if not options.model:
        return None
    if not service.is_gateway:
        raise ConfigurationError("--model runs a model for Sluice: these functions use none.")
    model = model_named(options.model)
    check_platform(model, Platform(platform.system(), platform.machine(), platform.libc_ver()[0]))
    found = Installation(model, MODELS_FOLDER / model.name)
    check_consent(found, stdin, out, agreed=options.yes)
    return found


def check_ignored(user: UserSettings, env_names: frozenset[str], console: Console) -> None:
    """Name the variables that are ignored. Raises ConfigurationError for one that protects."""
    found = ignored(user.shell, user.dotenv, env_names)
    if found:
        console.line(f"{warning(found)}\n")
    if refused := refusal(found):
        raise ConfigurationError(refused)


async def _run(
    service: ServiceSettings, user: UserSettings, options: StackOptions, console: Console
) -> None:
    running = asyncio.create_task(_serve(service, user, options, console))
    ending = False

    def end() -> None:
        # A second Ctrl-C, or npm's copy of the first, must not interrupt the shutdown.
        nonlocal ending
        if not ending:
            ending = True
            running.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end)
    try:
        await running
    except asyncio.CancelledError:
        if not ending:
            raise


async def _serve(
    service: ServiceSettings, user: UserSettings, options: StackOptions, console: Console
) -> None:
    if options.model and not options.model.is_ready():
        await options.model.install(user.shell, console.line)
    async with Stack(service, user, options, console) as facts:
        console.line(other_banner(facts, facts.other) if facts.other else banner(facts))
        await asyncio.get_running_loop().create_future()


def stack_options(
    options: argparse.Namespace, user: UserSettings, model: Installation | None = None
) -> StackOptions:
    """Return the stack's options; the command line overrides AZURE_OPENAI_PROXY_ADDRESS.

    Raises ConfigurationError.
    """
    address = proxy_address(user.get(VARIABLE))
    http_port = address.port if options.http_port is None else options.http_port
    if http_port == options.ws_port != 0:
        raise ConfigurationError(
            f"--http-port and --ws-port must differ (both are {http_port}). Use 0 for free ports."
        )
    return StackOptions(
        host=address.host if options.host is None else options.host,
        http_port=http_port,
        ws_port=options.ws_port,
        concurrency=options.concurrency,
        open_files=OpenFiles(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        traces=options.traces,
        model=model,
    )


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="npm start --",
        description="Run the whole service on this machine, without an AWS account.",
    )
    add = options.add_argument
    port = f"default: that of {VARIABLE}, or {DEFAULT_ADDRESS.port}"
    host = f"default: that of {VARIABLE}, or {DEFAULT_ADDRESS.host}"
    add("--http-port", type=_port, help=f"port of the Function URL, 0 for a free one ({port})")
    add(
        "--ws-port",
        type=_port,
        default=3001,
        help="port of the WebSocket API, 0 for a free one (default: %(default)s)",
    )
    add("--host", help=f"address to listen on ({host})")
    add(
        "--config",
        type=Path,
        help="the service's configuration, also of your own functions (default: serverless.yml)",
    )
    add("--stage", default="", help="stage of serverless.yml, and of the file .env.{stage}")
    add(
        "--concurrency",
        type=_count,
        default=DEFAULT_CONCURRENCY,
        help="maximum processes per function (default: %(default)s)",
    )
    models = f"a real small model instead of the demo model: {' or '.join(MODELS)}"
    add("--model", metavar="NAME", help=models)
    add("--yes", action="store_true", help="install what --model needs, and accept its terms")
    add("--traces", action="store_true", help="print the X-Ray trace of each invocation")
    return options


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:  # noqa: PLR2004 - ports have 16 bits
        raise argparse.ArgumentTypeError(f"must be 0 to 65535 (got {text!r})")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more (got {text!r})")
    return int(text)
