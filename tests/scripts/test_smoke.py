"""`npm run smoke` against running services: whole ones, one without its provider, and none."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.running_stack import ROOT, ready_service
from tests.scripted_upstream import closed_port, refused_url
from tests.scripts.smoke_run import SmokeRun, at, finished, settings_of, smoke, started

KEY = "fk-test-of-smoke-checks"
SERVICES = {
    "signed": {"WEBSOCKET_AUTH": "aws_iam"},
    "keyed": {
        "FUNCTION_URL_AUTH": "none",
        "WEBSOCKET_AUTH": "forward_key",
        "FORWARD_KEY": KEY,
        "OPENAI_ROUTE_PREFIX": "/ai",
        "CACHE_CHAT_COMPLETION": "true",
        "CACHE_BACKEND": "MEMORY",
    },
    "without a provider": {"OPENAI_API_KEY": "sk-test-smoke", "UPSTREAM_RETRIES": "0"},
}
NEEDS_NO_PROVIDER = {
    "GET / describes the service",
    "GET /healthz is 200",
    "no signature is refused",
    "wrong signature is refused",
    "bad JSON is 400",
    "unknown path is 404",
    "WebSocket: ping",
    "WebSocket: error frame",
}


@pytest.fixture(scope="module")
def runs() -> dict[str, SmokeRun]:
    """All services are checked at once: most of the time they wait for the demo model's words."""
    with ExitStack() as open_services:
        processes = {}
        for name, modes in SERVICES.items():
            upstream = {"OPENAI_BASE_URL": refused_url()} if name == "without a provider" else {}
            stack = open_services.enter_context(
                ready_service(ROOT / "serverless.yml", **modes, **upstream)
            )
            run = started(*at(stack), **settings_of(modes))
            processes[name] = open_services.enter_context(run)
        return {name: finished(process) for name, process in processes.items()}


@pytest.mark.parametrize("service", ["signed", "keyed"])
def test_whole_service_passes_every_check(runs: dict[str, SmokeRun], service: str) -> None:
    run = runs[service]
    assert set(run.verdicts.values()) == {"ok"}, run.printed
    assert (run.status, run.complaint) == (0, "")
    assert f"{len(run.verdicts)} checks, none failed" in run.printed


def test_each_way_in_is_also_tried_without_what_opens_it(runs: dict[str, SmokeRun]) -> None:
    assert {
        "no signature is refused",
        "wrong signature is refused",
        "WebSocket: no signature is refused",
        "WebSocket: wrong signature is refused",
    } <= runs["signed"].verdicts.keys()
    assert {
        "no key is refused",
        "unknown key is refused",
        "WebSocket: no key is refused",
        "WebSocket: unknown key is refused",
    } <= runs["keyed"].verdicts.keys()


def test_failed_checks_say_what_they_found(runs: dict[str, SmokeRun]) -> None:
    run = runs["without a provider"]
    assert {name for name, verdict in run.verdicts.items() if verdict == "ok"} == NEEDS_NO_PROVIDER
    assert run.said_below("GET /?message= is streamed") == "status: expected 200, found 502"
    assert (
        run.said_below("WebSocket: chat")
        == "frame: expected part of an answer, found the error upstream_unreachable"
    )
    assert "18 checks, 10 failed" in run.printed
    assert run.status == 1


def test_table_holds_no_key(runs: dict[str, SmokeRun]) -> None:
    for run in runs.values():
        assert KEY not in run.printed + run.complaint
        assert "Signature=" not in run.printed + run.complaint


def test_stage_that_is_not_deployed_is_an_error_of_its_own() -> None:
    account = {"AWS_ENDPOINT_URL": refused_url(), "AWS_MAX_ATTEMPTS": "1"}
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    run = smoke("--stage", "nowhere", FORWARD_KEY=KEY, **account, **keys)
    assert (run.status, run.printed) == (2, "")
    assert run.complaint.startswith("smoke: Cannot look up the stack sluice-nowhere in us-east-1")
    assert run.complaint.count("\n") == 1


def test_missing_key_is_asked_for() -> None:
    run = smoke("--local", WEBSOCKET_AUTH="forward_key")
    assert (run.status, run.printed) == (2, "")
    assert run.complaint.startswith("smoke: FORWARD_KEY is not set")
    run = smoke("--local", WEBSOCKET_AUTH="forward_key", FORWARD_KEYS=KEY)
    assert "  FORWARD_KEYS: Use FORWARD_KEY.\n" in run.printed
    assert run.status == 2


def test_service_that_does_not_run_is_an_error_of_its_own() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    run = smoke("--local", "--http-url", url)
    said = f"smoke: Nothing listens at {url}. Start the service: npm start\n"
    assert (run.status, run.printed, run.complaint) == (2, "", said)
    for options, said in (
        (["--http-url", url], "--http-url and --ws-url need --local.\n"),
        (["--key", KEY], "Unknown option or argument. All options: npm run smoke -- --help\n"),
    ):
        run = smoke(*options)
        assert (run.status, run.printed, run.complaint) == (2, "", f"smoke: {said}")
