"""The functions of this checkout in the cloud that the bench makes for them."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import certifi

from bench.as_deployed import memory_of_default
from bench.measurement.machine import CHECKOUT
from bench.subjects.deployment import CONNECT, CONNECT_PLAIN, STREAM, STREAM_PLAIN, subjects
from bench.subjects.first_answer import first_answer
from bench.subjects.packaged import PackagedService
from bench.traffic.cloud import cloud

TABLE = {"STATE_TABLE": "sluice-dev-state"}


def service_in(folder: Path) -> PackagedService:
    """Of the packages only certifi, which is changed; the tests' Python has the others."""
    opt = folder / "opt"
    for layer in ("runtime", "shared"):
        shutil.copytree(CHECKOUT / "layers" / layer, opt, dirs_exist_ok=True)
    shutil.copytree(Path(certifi.where()).parent, opt / "python" / "certifi")
    settings = dict.fromkeys(("stream", "connect", "default"), TABLE)
    return PackagedService(sys.executable, CHECKOUT, opt, settings)


def test_each_function_answers_with_keys_in_ssm_and_in_variables(tmp_path: Path) -> None:
    service = service_in(tmp_path)
    with cloud(tmp_path) as everything:
        service.trust(everything.authority)
        found = subjects(tmp_path, service, everything)
        for name in (STREAM, STREAM_PLAIN, CONNECT, CONNECT_PLAIN):
            subject = found[name]
            assert subject is not None
            # It raises if the answer is another one.
            asyncio.run(first_answer(subject.start, subject.event, subject.text))
        assert asyncio.run(memory_of_default(service, everything)) > 0
