"""The running stack, and keys with a record for it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from sluice.access.daily_usage import usage_key, usage_of
from sluice.access.records import Record, item_of
from sluice.authentication import account_of_key
from sluice.state.changes import Change
from sluice.state.sqlite import SqliteState
from tests.end_to_end.conftest import FORWARD_KEY, PROVIDER_KEY
from tests.end_to_end.counted_answer import PRICES, QUESTION
from tests.running_stack import ROOT, RunningStack, ready_service
from tests.scripted_upstream import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scripted_upstream import ScriptedUpstream

NUMBERS = count()


class Service:
    """The stack, with the store in which its records are."""

    def __init__(self, stack: RunningStack, file: Path) -> None:
        self.stack, self.file = stack, file
        self.store = SqliteState(str(file))
        self.clients: list[openai.OpenAI] = []

    def key(self, **fields: Any) -> str:
        """A new key with a record."""
        number = next(NUMBERS)
        key = f"sk-sluice-{number:032}"
        token = account_of_key(key).removeprefix("key ")
        self.write(Record(f"team-{number}", token=token, **fields))
        return key

    def write(self, record: Record) -> None:
        self.store.change(Change(record.key, None, put=item_of(record)))

    def client(self, key: str, retries: int = 0) -> openai.OpenAI:
        url = f"{self.stack.url}/v1"
        self.clients.append(openai.OpenAI(base_url=url, api_key=key, max_retries=retries))
        return self.clients[-1]

    def answer(self, key: str, model: str = "gpt") -> str:
        chunks = self.client(key).chat.completions.create(
            model=model, messages=QUESTION, stream=True, max_tokens=100
        )
        return "".join(each.choices[0].delta.content or "" for each in chunks)

    def info(self, key: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        document: dict[str, Any] = httpx2.get(f"{self.stack.url}/key/info", headers=headers).json()
        return document

    def settled(self, key: str, requests: int = 1) -> dict[str, int]:
        """The day's usage of a key, without what is 0, once so many requests are counted."""
        name = usage_key(time.strftime("%Y-%m-%d", time.gmtime()), account_of_key(key), "gpt")
        end = time.monotonic() + PATIENCE_S
        while True:  # the store gives no sign of a change
            item = self.store.get_all([name]).get(name)
            if item and item["requests"] == requests:
                return {
                    field: number for field, number in usage_of(name, item).counts.items() if number
                }
            assert time.monotonic() < end
            time.sleep(0.02)


@contextmanager
def keyed_service(upstream: ScriptedUpstream, folder: Path, **settings: str) -> Iterator[Service]:
    """The stack in front of `upstream`, with further settings; its output never has a key."""
    file = folder / "state.sqlite3"
    with ready_service(
        ROOT / "serverless.yml",
        OPENAI_BASE_URL=upstream.url,
        OPENAI_API_KEY=PROVIDER_KEY,
        FORWARD_KEY=FORWARD_KEY,
        FUNCTION_URL_AUTH="none",
        WEBSOCKET_AUTH="forward_key",
        MODEL_PRICES=PRICES,
        STATE_FILE=str(file),
        PROMPT_TEST="You are a test.",
        **settings,
    ) as stack:
        service = Service(stack, file)
        yield service
        for client in service.clients:
            client.close()
        assert stack.end() == 0
    assert "sk-sluice-" not in stack.text()
