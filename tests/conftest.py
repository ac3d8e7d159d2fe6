"""Fixtures for all tests, and how a run of them is put together."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.child_environment import measure_no_child
from tests.process_starts import starts_processes
from tests.scripted_upstream import ScriptedUpstream, scripted_upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

# Without __pycache__ each process of each run spends seconds on pytest's rewriting of assertions.
sys.dont_write_bytecode = False

# Every run tries the same examples, at any speed; `npm run fuzz` tries new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.register_profile("fast", settings.get_profile("repeatable"), max_examples=20)
settings.register_profile("fuzz", deadline=None, max_examples=2000)
settings.load_profile("repeatable")

SHARES_A_DEPLOYMENT = "tests/packaging/"
"""A folder whose modules share packages and a deployment: one process runs them all."""

SHARES_A_BROWSER = "tests/end_to_end/playground/"
"""A folder whose modules share a browser and two stacks: one process runs them all."""

SHARES_NOTHING = "tests/faults/test_campaign"
"""A module whose tests run at the same time, in several processes."""

SLOW = (
    SHARES_A_DEPLOYMENT,
    SHARES_NOTHING,
    "tests/sluice/access/test_many_processes",
    "tests/scripts/",
    "tests/end_to_end/",
    "tests/documentation/",
    "tests/local/test_command_line",
)
"""What starts first, in this order, so that no process is left alone with it at the end."""

WAITING = (
    "tests/sluice/upstream/transports/test_ends.py",
    "tests/sluice/upstream/transports/test_kept_connections.py",
    "tests/sluice/url/test_streams.py",
    "tests/sluice/websocket/test_gateway.py",
    "tests/sluice/websocket/test_property.py",
)
"""Modules that wait by the real clock, 18 s in all: --fast leaves them out."""

LONGEST_CASE_NAME = 40
"""Maximum length of a parameter, in characters, that names a case in the report."""


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """A model API that does what the test says."""
    with scripted_upstream() as server:
        yield server


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """AWS, played by moto. A test removes what it puts there."""
    from tests.atomic_moto import atomic_moto  # noqa: PLC0415 -- slow to import, for few tests

    with atomic_moto() as url:
        yield url


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast",
        action="store_true",
        help="run the modules whose tests start no process and wait for no timeout",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let --fast try few examples, and all processes of a fuzzing run share a seed."""
    if config.getoption("--fast"):
        settings.load_profile("fast")
    if config.getoption("--hypothesis-profile") == "fuzz" and not config.option.hypothesis_seed:
        config.option.hypothesis_seed = str(random.randrange(2**32))  # noqa: S311 -- no secret


def pytest_report_header(config: pytest.Config) -> str | None:
    seed = config.option.hypothesis_seed
    return f"repeat these examples with --hypothesis-seed={seed}" if seed else None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.suffix != ".py" or not config.getoption("--fast"):
        return None
    is_waiting = collection_path.as_posix().endswith(WAITING)
    return is_waiting or starts_processes(collection_path) or None


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case with a long text by its number: all processes must agree on the names."""
    is_long = isinstance(val, (bytes, str)) and len(val) > LONGEST_CASE_NAME
    return argname if is_long else None


def pytest_collection_finish() -> None:
    measure_no_child()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        found = (index for index, start in enumerate(SLOW) if item.nodeid.startswith(start))
        return next(found, len(SLOW))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are processors where tests wait for other processes."""
    return (os.cpu_count() or 1) + (not config.getoption("--fast"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Give a module's tests, which share fixtures, to one process."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 -- for this hook alone

    class ByModule(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(SHARES_NOTHING):
                return nodeid
            shared = (SHARES_A_DEPLOYMENT, SHARES_A_BROWSER)
            folder = next((each for each in shared if nodeid.startswith(each)), None)
            return folder or nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # but in the order of pytest_collection_modifyitems
    return ByModule(config, log)
