"""The functions of this checkout, with and without limits, and what they leave in the stores."""

from __future__ import annotations

import asyncio
import shutil
import sys
from contextlib import AsyncExitStack, closing
from pathlib import Path

import certifi

from bench.measurement.machine import CHECKOUT
from bench.subjects.limited import (
    HOST,
    PLAIN_KEY,
    TABLE,
    TEAM,
    TEAM_KEY,
    Place,
    RoundTrips,
)
from bench.traffic.aws_endpoints import aws_endpoints
from bench.traffic.timed_upstream import timed_upstream
from sluice.state.dynamodb import DynamoDbState
from sluice.state.sqlite import SqliteState
from tests.sluice.aws.aws_environment import ENVIRON
from tests.sluice.certificate_authority import CertificateAuthority


def opt_in(folder: Path) -> Path:
    """The layers, with certifi alone of their packages; the tests' Python has the others."""
    opt = folder / "opt"
    for layer in ("runtime", "shared"):
        shutil.copytree(CHECKOUT / "layers" / layer, opt, dirs_exist_ok=True)
    shutil.copytree(Path(certifi.where()).parent, opt / "python" / "certifi")
    return opt


def test_key_with_a_record_is_answered_and_counted_in_each_store(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    authority.serving(HOST)
    certificate = str(tmp_path / "server.pem")

    async def ask(place: Place, upstream: int) -> None:
        async with AsyncExitStack() as open_things:
            for key, store in (
                (PLAIN_KEY, {}),
                (TEAM_KEY, {"STATE_FILE": str(place.file)}),
                (TEAM_KEY, {"STATE_TABLE": TABLE, **place.dynamodb}),
            ):
                function = await place.start(upstream, key, store, open_things)
                asked = await function.ask()
                assert asked.first_byte_ms > 0
                assert asked.cpu_ms > 0

    with (
        aws_endpoints({}, certificate) as port,
        timed_upstream("", certificate, closes=True) as upstream,
    ):
        place = Place(sys.executable, opt_in(tmp_path), authority.file, tmp_path, port)
        place.add_record()
        asyncio.run(ask(place, upstream))
        with closing(RoundTrips(place)) as trips:
            assert min(trips.sqlite_ms(), trips.dynamodb_ms()) > 0
        with closing(DynamoDbState(TABLE, {**ENVIRON, **place.dynamodb})) as table:
            for store in (table, SqliteState(str(place.file))):
                item = store.get_all([TEAM.key])[TEAM.key]
                assert item["running"] == 0
                assert [name for name in item if name.startswith("s ")]
