"""What becomes of requests by their principal, the store and the cache."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sluice.authentication import Principal
from sluice.errors import StateUnavailable
from sluice.request_log import RequestLog
from sluice.state.sqlite import SqliteState
from sluice.upstream.call import chat_call
from tests.scripted_upstream import ScriptedUpstream, replies, says
from tests.sluice.answering import SECRET, answering_with
from tests.sluice.clocks import FOREVER

if TYPE_CHECKING:
    from pathlib import Path

SIGNER, KEY = Principal("ann", "key 1"), Principal("team", "key 2", has_record=True)
CALL = chat_call(b'{"model": "m", "messages": [], "stream": true}')


@pytest.mark.parametrize(
    ("principal", "store_failure", "passes"),
    [
        (SIGNER, "count_later", True),
        (SIGNER, "refuse", False),
        (KEY, "count_later", False),
        (KEY, "refuse", False),
    ],
)
def test_request_that_cannot_be_counted_passes_only_without_a_record(
    upstream: ScriptedUpstream,
    tmp_path: Path,
    principal: Principal,
    store_failure: str,
    *,
    passes: bool,
) -> None:
    upstream.script = says("a")
    environ = {
        "OPENAI_BASE_URL": upstream.url,
        "OPENAI_API_KEY": SECRET,
        "GLOBAL_RATE_LIMIT": "9/minute",
        "STORE_FAILURE": store_failure,
    }
    answers = answering_with(environ, SqliteState(str(tmp_path))).answers  # a folder: it fails
    lines: list[str] = []

    def ask() -> bytes:
        with (
            RequestLog("r", "test", write=lines.append) as log,
            answers.ask(CALL, log, FOREVER, principal=principal) as answer,
        ):
            return b"".join(answer.chunks())

    if passes:
        assert ask().endswith(b"data: [DONE]\n\n")
    else:
        with pytest.raises(StateUnavailable):
            ask()
    line: dict[str, Any] = json.loads(lines[0])
    assert line.get("is_counted") is (False if passes else None)
    assert len(upstream.requests) == int(passes)


def test_list_of_stored_completions_passes_the_cache_by(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(200, {"object": "list", "data": []})
    own = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": SECRET}
    cache = {"CACHE_CHAT_COMPLETION": "true", "CACHE_BACKEND": "MEMORY"}
    answers = answering_with(own | cache).answers
    call = CALL._replace(method="GET", body=b"")
    with (
        RequestLog("r", "test") as log,
        answers.ask(call, log, FOREVER, principal=SIGNER) as answer,
    ):
        assert b"".join(answer.chunks()) == b'{"object": "list", "data": []}'
        assert "x-sluice-cache" not in answer.headers
