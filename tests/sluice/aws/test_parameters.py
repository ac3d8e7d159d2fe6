"""The parameters of a function: read in a thread, and again where the thread's work is lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from sluice.aws.parameters import PATIENCE_S, Parameters
from tests import scripted_upstream
from tests.scripted_upstream import (
    ScriptedUpstream,
    UpstreamRequest,
    holds_after,
    one_after_another,
    refused_url,
    replies,
)
from tests.sluice.aws.aws_environment import environ_of
from tests.sluice.clocks import HandClock

if TYPE_CHECKING:
    import socket

VALUES = {"/a": "sk-a", "/b": "sk-b"}
DENIED = replies(400, {"__type": "AccessDeniedException"})


def has(values: dict[str, str]) -> Any:
    """A script: SSM with these parameters."""

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        names = [name for name in request.document["Names"] if name in values]
        found = [{"Name": name, "Value": values[name]} for name in names]
        replies(200, {"Parameters": found})(request, connection)

    return script


def names_sent(upstream: ScriptedUpstream) -> list[list[str]]:
    return [request.document["Names"] for request in upstream.requests]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def parameters(upstream: ScriptedUpstream, clock: HandClock) -> Parameters:
    upstream.script = has(VALUES)
    return Parameters(environ_of(upstream.url), clock)


def test_all_parameters_are_read_by_one_request(
    upstream: ScriptedUpstream, parameters: Parameters
) -> None:
    parameters.begin(["/a", "", "/b", "/a"])
    assert [parameters(name) for name in ("/b", "/a", "/b")] == ["sk-b", "sk-a", "sk-b"]
    assert names_sent(upstream) == [["/a", "/b"]]


def test_request_that_must_wait_does_something_else_first(
    upstream: ScriptedUpstream, parameters: Parameters
) -> None:
    released = threading.Event()
    done: list[str] = []

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        assert released.wait(scripted_upstream.PATIENCE_S)
        has(VALUES)(request, connection)

    def meanwhile() -> None:
        done.append("once")
        released.set()

    upstream.script = script
    parameters.begin(["/a"], meanwhile)
    assert parameters("/a") == "sk-a"
    assert parameters("/b") == "sk-b"  # a name that was not announced
    assert done == ["once"]
    assert names_sent(upstream) == [["/a"], ["/b"]]


def test_request_does_not_wait_for_a_thread_that_was_frozen(
    upstream: ScriptedUpstream, parameters: Parameters, clock: HandClock
) -> None:
    asked = threading.Event()

    def silent(request: UpstreamRequest, connection: socket.socket) -> None:
        asked.set()
        holds_after()(request, connection)

    upstream.script = one_after_another(silent, has(VALUES))
    parameters.begin(["/a"])
    assert asked.wait(scripted_upstream.PATIENCE_S)
    clock.now += PATIENCE_S
    assert parameters("/a") == "sk-a"


def test_parameter_that_cannot_be_read_is_tried_again_by_the_next_request(
    upstream: ScriptedUpstream, parameters: Parameters
) -> None:
    upstream.script = DENIED
    parameters.begin(["/a"])
    for _ in range(2):
        with pytest.raises(LookupError, match=r"^AccessDeniedException$"):
            parameters("/a")
    assert names_sent(upstream) == [["/a"]] * 3
    upstream.script = has({})
    with pytest.raises(LookupError, match=r"^ParameterNotFound$"):
        parameters("/a")
    upstream.script = has(VALUES)
    assert parameters("/a") == "sk-a"


def test_parameter_that_may_not_be_read_closes_no_other(
    upstream: ScriptedUpstream, parameters: Parameters
) -> None:
    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        is_denied = "/b" in request.document["Names"]
        (DENIED if is_denied else has(VALUES))(request, connection)

    upstream.script = script
    parameters.begin(["/a", "/b"])
    assert parameters("/a") == "sk-a"
    with pytest.raises(LookupError, match="AccessDeniedException"):
        parameters("/b")
    assert names_sent(upstream) == [["/a", "/b"], ["/a", "/b"], ["/a"], ["/b"]]


def test_endpoint_that_cannot_be_reached_is_named() -> None:
    parameters = Parameters(environ_of(refused_url()))
    parameters.begin(["/a"])
    with pytest.raises(LookupError, match=r"^CannotConnect$"):
        parameters("/a")


def test_nothing_is_read_without_names_or_into_a_snapshot(upstream: ScriptedUpstream) -> None:
    upstream.script = has(VALUES)
    Parameters(environ_of(upstream.url)).begin([""])
    snapshot = environ_of(upstream.url, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    parameters = Parameters(snapshot)
    parameters.begin(["/a", "/b"])
    assert upstream.requests == []
    assert parameters("/a") == "sk-a"
    assert names_sent(upstream) == [["/a", "/b"]]
