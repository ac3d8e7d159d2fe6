"""Check what is about to be deployed: `python -m scripts.deployed_settings FOLDER STAGE < JSON`.

The variables come as one JSON object. A wrong one is named on stderr, and the exit code is 1.
Otherwise the values of those that only a deployment reads are printed, defaults included, and
warnings: what is ignored, and what comes from the `.env` file in FOLDER.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from local.errors import ConfigurationError
from local.project.dotenv_file import dotenv_of_stage, read_dotenv
from local.project.ignored_variables import Ignored, ignored, refusal, warning
from local.project.serverless_yml import ServiceFile
from sluice.errors import SettingsError
from sluice.setting_values import entries
from sluice.settings import ALL_SETTINGS, DEPLOY, LOCAL, read_settings
from sluice.upstream.targets import read_targets

ADDRESSES = (
    "OPENAI_BASE_URL",
    "AZURE_OPENAI_ENDPOINT",
    "EXTRA_BASE_URL",
    "PROXY",
    "API_GW_ENDPOINT",
)
"""Settings whose hosts deployed functions connect to."""
THIS_MACHINE = ("localhost", "local", "localdomain", "host.docker.internal")
"""Names of this machine and its network, also as the end of a name."""
OF_TOOLS = ("AWS_", "SLS_", "SERVERLESS_")
"""How variables begin that osls itself reads."""


def check(variables: dict[str, object]) -> dict[str, object]:
    """Check them as the functions will. Raises SettingsError. Returns what only a deployment reads.

    Values that CloudFormation fills in are objects, and pass. FORWARD_KEY is not deployed, but
    what is in the shell is likely what its parameter holds.
    """
    known = {"FORWARD_KEY"} | {row.name for row in ALL_SETTINGS if row.where != LOCAL}
    texts = {name: v for name, v in variables.items() if name in known and isinstance(v, str)}
    values = {row: row.read(texts) for row in ALL_SETTINGS}
    # Lambda tells a function its region.
    read_targets({**texts, "AWS_REGION": "us-east-1"}, read_settings(texts))
    return {row.name: value for row, value in values.items() if row.where == DEPLOY}


def check_ignored(found: Iterable[Ignored]) -> None:
    """Raises ConfigurationError for an ignored variable that protects."""
    if refused := refusal(found):
        raise ConfigurationError(refused)


def check_addresses(variables: Mapping[str, object]) -> None:
    """Reject addresses that only this machine can reach. Raises SettingsError."""
    for name in ADDRESSES:
        value = variables.get(name)
        for url in entries(value) if isinstance(value, str) else ():
            host = urlsplit(url if "://" in url else f"//{url}").hostname or ""
            if is_of_this_machine(host):
                hint = "Set another for the deployment, for example in .env.{stage}."
                rule = "must be an address that deployed functions can reach"
                raise SettingsError(name, rule, host, hint)


def is_of_this_machine(host: str) -> bool:
    host = host.lower().rstrip(".")
    if any(host == name or host.endswith(f".{name}") for name in THIS_MACHINE):
        return True
    address = _address(host)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return address is not None and (
        address.is_loopback or address.is_unspecified or address.is_link_local
    )


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))  # 127.1, as resolvers read it
    except (OSError, UnicodeError):
        return None


def taken_from(file: str, dotenv: Mapping[str, str], env_names: frozenset[str]) -> str:
    """Say which variables of `file` are deployed and which are not; names alone."""
    names = sorted(name for name in dotenv if not name.startswith(OF_TOOLS))
    deployed = [name for name in names if name in env_names]
    others = [name for name in names if name not in env_names]
    sentences = [
        f"Deployed: {', '.join(deployed)}." if deployed else "",
        f"Not deployed: {', '.join(others)}. Keys are read from SSM (`npm run secrets`); a variable"
        " of your own needs a line in provider.environment."
        if others
        else "",
    ]
    return " ".join([f"This deployment reads {file}.", *filter(None, sentences)]) if names else ""


def dotenv_variables(file: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what osls took from `file` into `environ`, without what the shell set otherwise."""
    names = read_dotenv(file, environ).keys()
    rest = {name: value for name, value in environ.items() if name not in names}
    return {k: v for k, v in read_dotenv(file, rest).items() if environ.get(k, v) == v}


def main(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    folder, stage = Path(arguments[0]), arguments[1]
    found: tuple[Ignored, ...] = ()
    try:
        file = dotenv_of_stage(folder, stage)
        dotenv = dotenv_variables(file, environ)
        env_names = ServiceFile(folder / "serverless.yml").env_names()
        shell = {name: value for name, value in environ.items() if name not in dotenv}
        found = ignored(shell, dotenv, env_names)
        check_ignored(found)
        variables = json.load(stdin)
        values = check(variables)
        check_addresses(variables)
    except (SettingsError, ConfigurationError) as error:
        message = error.message if isinstance(error, SettingsError) else str(error)
        stderr.write("\n\n".join(filter(None, [warning(found), message])) + "\n")
        return 1
    said = {each.name for each in found}
    rest = {name: value for name, value in dotenv.items() if name not in said}
    warnings = [text for text in (warning(found), taken_from(file.name, rest, env_names)) if text]
    stdout.write(json.dumps({"values": values, "warnings": warnings}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdin, sys.stdout, sys.stderr))
