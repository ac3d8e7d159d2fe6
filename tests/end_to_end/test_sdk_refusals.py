"""What OpenAI's SDKs make of each refusal: they wait and try again only where that helps."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from sluice.access.records import MICRO
from tests.end_to_end.counted_answer import QUESTION
from tests.end_to_end.keyed_service import Service, keyed_service
from tests.running_stack import PATIENCE_S
from tests.scripted_upstream import GatedAnswer, ScriptedUpstream, says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Outcomes = dict[str, list[str | int]]
    Sdk = Callable[[str, Mapping[str, str]], Outcomes]

NODE_PROGRAM = Path(__file__).with_name("sdk_refusals.mjs")
UNPRICED = "a model without a price"
FINAL: dict[str, tuple[dict[str, Any], str]] = {
    "a spent budget": ({"max_budget": 10}, "429 insufficient_quota"),
    "a model that is not allowed": ({"models": ("o3*",)}, "403 model_not_allowed"),
    UNPRICED: ({"max_budget": MICRO}, "403 model_without_price"),
    "a blocked key": ({"blocked": True}, "401 invalid_api_key"),
    "an expired key": ({"expires": 1}, "401 invalid_api_key"),
}
MODELS = {UNPRICED: "unpriced"}


def by_python(url: str, keys: Mapping[str, str]) -> Outcomes:
    """The text or the error of each request, and its attempts."""
    outcomes: Outcomes = {}
    for name, key in keys.items():
        attempts: list[httpx2.Request] = []
        http = httpx2.Client(event_hooks={"request": [attempts.append]})
        with openai.OpenAI(base_url=url, api_key=key, http_client=http, max_retries=2) as client:
            try:
                chunks = client.chat.completions.create(
                    model=MODELS.get(name, "gpt"), messages=QUESTION, stream=True
                )
                text = "".join(each.choices[0].delta.content or "" for each in chunks)
            except openai.APIStatusError as error:
                text = f"{error.status_code} {error.code}"
        outcomes[name] = [text, len(attempts)]
    return outcomes


def by_node(url: str, keys: Mapping[str, str]) -> Outcomes:
    environ = {"BASE_URL": url, "KEYS": json.dumps(keys), "MODELS": json.dumps(MODELS)}
    printed = subprocess.run(
        ["node", str(NODE_PROGRAM)],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    ).stdout
    outcomes: Outcomes = json.loads(printed)
    return outcomes


EACH_SDK = pytest.mark.parametrize("sdk", [by_python, by_node], ids=["Python", "Node.js"])


@pytest.fixture(scope="module")
def service(
    shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with keyed_service(shared_upstream, tmp_path_factory.mktemp("state")) as service:
        yield service


@EACH_SDK
def test_refusal_that_no_waiting_mends_is_raised_at_once(
    service: Service, upstream: ScriptedUpstream, sdk: Sdk
) -> None:
    keys = {name: service.key(**fields) for name, (fields, _) in FINAL.items()}
    outcomes = sdk(f"{service.stack.url}/v1", keys)
    assert outcomes == {name: [error, 1] for name, (_, error) in FINAL.items()}
    assert upstream.requests == []


@EACH_SDK
def test_refusal_that_passes_is_tried_again(
    service: Service, upstream: ScriptedUpstream, sdk: Sdk
) -> None:
    gated = GatedAnswer("first")
    upstream.script = gated
    key = service.key(max_parallel_requests=1)
    gated.open()  # its head comes with its first bytes
    stream = service.client(key).chat.completions.create(
        model="gpt", messages=QUESTION, stream=True
    )
    next(stream)
    upstream.script = says("Hel", "lo")
    before = len(service.stack.lines)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(sdk, f"{service.stack.url}/v1", {"busy": key})
        while "rate_limit_exceeded" not in "".join(service.stack.lines[before:]):
            service.stack.wait_line("rate_limit_exceeded")
        gated.open()
        assert list(stream) == []
        (text, attempts) = asked.result(PATIENCE_S)["busy"]
    assert text == "Hello"
    assert int(attempts) > 1
