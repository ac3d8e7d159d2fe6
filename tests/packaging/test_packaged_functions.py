"""The deployed zips, unpacked as Lambda does, run by a Python without any package.

The functions cannot reach this checkout's sources and the packages in .venv: what they import is in
their own zip or in a layer. What differs from Lambda is the version of Python.
"""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.credentials import Credentials

from scripts.access.addresses import Addresses
from scripts.smoke.__main__ import all_checks
from scripts.smoke.check import run_check
from scripts.smoke.settings import Target
from tests.packaging.conftest import DeploymentLife, Step
from tests.packaging.deployed_function import layers_of, started
from tests.packaging.lambda_layout import lay_out, lone_python, modules_found_by, unpack
from tests.packaging.packaged_service import Package
from tests.running_stack import ROOT, stack_of
from tests.segment_documents import daemon

FUNCTIONS = ("connect", "disconnect", "control", "default", "stream")
KEY = "fk-test-packaged"
CHECKS = (
    "GET / describes the service",
    "GET /?message= is streamed",
    "POST / finds a value",
    "no signature is refused",
    "bad JSON is 400",
    "WebSocket: template stream to <END>",
    "WebSocket: chat",
    "WebSocket: ping",
    "WebSocket: no key is refused",
    "WebSocket: unknown key is refused",
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lone_python(tmp_path_factory.mktemp("python"))


def test_nothing_of_the_checkout_is_within_reach(python: Path, tmp_path: Path) -> None:
    ours = ("sluice", "awslambda", "functions", "local", "scripts", "tests")
    theirs = ("requests", "urllib3", "certifi", "idna", "botocore", "boto3")
    assert modules_found_by(python, (*ours, *theirs, "json"), tmp_path) == {"json"}


@pytest.mark.parametrize(
    ("function", "environ"),
    [*((name, {}) for name in FUNCTIONS), ("stream", {"UPSTREAM_TRANSPORT": "requests"})],
)
def test_function_starts_from_its_own_zip_and_its_layers(
    deployed: Step,
    by_default: Package,
    python: Path,
    tmp_path: Path,
    function: str,
    environ: dict[str, str],
) -> None:
    configured = deployed.account.functions[function]
    lay_out(by_default.folder, function, layers_of(configured), tmp_path)
    with started(configured, python, tmp_path, **environ) as api:
        api.expect_next()


def test_layer_holds_what_sends_a_trace(
    deployed: Step, by_default: Package, python: Path, tmp_path: Path
) -> None:
    configured = deployed.account.functions["disconnect"]
    lay_out(by_default.folder, "disconnect", layers_of(configured), tmp_path)
    trace = "Root=1-6748a1b2-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1"
    event = {"requestContext": {"connectionId": "c", "requestId": "r"}}
    with daemon() as xray:
        environ = {
            "AWS_XRAY_SDK_ENABLED": "true",
            "AWS_XRAY_DAEMON_ADDRESS": xray.address,
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ACCESS_KEY_ID": "AKID",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        with started(configured, python, tmp_path, **environ) as api:
            api.answer_to(json.dumps(event).encode(), Lambda_Runtime_Trace_Id=trace)
            api.expect_next()
            (store,) = xray.documents()
    assert store["annotations"] == {"error": "state_unavailable"}


def test_function_without_the_shared_layer_does_not_start(
    deployed: Step, by_default: Package, python: Path, tmp_path: Path
) -> None:
    configured = deployed.account.functions["stream"]
    lay_out(by_default.folder, "stream", ["runtime"], tmp_path)
    with started(configured, python, tmp_path) as api:
        reported = api.read_request()
    assert reported.target == "/2018-06-01/runtime/init/error"
    assert b"No module named 'sluice'" in reported.body


def test_deployed_connect_admits_by_the_parameter_that_its_settings_name(
    life: DeploymentLife,
) -> None:
    assert life.connections.statuses == {"right key": 200, "wrong key": 401, "no key": 401}


def test_deployed_functions_record_connections_in_the_table_that_their_settings_name(
    life: DeploymentLife,
) -> None:
    assert life.connections.recorded == {"opened right key", "closed right key"}


@pytest.fixture(scope="module")
def target(
    by_default: Package, python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """The local stack over a folder with serverless.yml and the unpacked zips, nothing more."""
    folder = tmp_path_factory.mktemp("unpacked")
    shutil.copyfile(ROOT / "serverless.yml", folder / "serverless.yml")
    for function in FUNCTIONS:
        unpack(by_default.folder / f"{function}.zip", folder)
    for layer in ("runtime", "shared"):
        unpack(by_default.folder / f"{layer}.zip", folder / "layers" / layer)
    # For the emulators: they pass no PYTHON variable on to functions.
    packages = os.pathsep.join((str(ROOT), sysconfig.get_path("purelib")))
    with stack_of(
        str(python),
        folder / "serverless.yml",
        PYTHONPATH=packages,
        HOME=str(folder),
        FORWARD_KEY=KEY,
        WEBSOCKET_AUTH="forward_key",
    ) as running:
        local = Credentials("local", "local")
        addresses = Addresses(*running.wait_ready())
        yield Target(addresses, "us-east-1", "aws_iam", "forward_key", local, KEY)


@pytest.mark.parametrize("name", CHECKS)
def test_service_of_the_artifacts_works(target: Target, name: str) -> None:
    (check,) = (check for check in all_checks(target) if check.name == name)
    assert run_check(check, target, time.monotonic).failure == ""
