"""Runtime processes that serve all tests of a module: a start takes longer than most tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.awslambda.scripted_runtime_api import DISPATCHER, Runtime, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Calls the ordinary handler whose source comes with the event; see Runtime.serve."""
    with running(tmp_path_factory.mktemp("ordinary"), DISPATCHER) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Calls the streaming handler whose source comes with the event; see Runtime.serve."""
    source = f"{DISPATCHER}\nhandler = awslambda.streamify_response(handler)"
    with running(tmp_path_factory.mktemp("streaming"), source) as runtime:
        yield runtime
