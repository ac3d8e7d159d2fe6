"""Which lines of the functions are requests, and what of them a page may see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from local.playground.recent_requests import MAX_ROWS, RecentRequests, Row

LONG_S = 60.0
URL = {
    "request_id": "r1",
    "transport": "url",
    "outcome": "ok",
    "method": "POST",
    "path": "/v1/chat/completions",
    "principal": "team-a",
    "model": "m",
    "status": 200,
    "first_byte_ms": 12.5,
    "usage": {"total_tokens": 46},
    "tokens": 50,
    "micro_usd": 17,
    "cache": "HIT",
    "total_ms": 99.0,
}
URL_ROW = {
    "time": 5.0,
    "transport": "url",
    "outcome": "ok",
    "what": "POST /v1/chat/completions",
    "principal": "team-a",
    "model": "m",
    "status": 200,
    "first_ms": 12.5,
    "tokens": 46,
    "micro_usd": 17,
    "cache": "HIT",
    "total_ms": 99.0,
}
CHAT = {
    "request_id": "r2",
    "transport": "websocket",
    "outcome": "cancelled",
    "connection_id": "c1",
    "kind": "chat",
    "first_frame_ms": 3.0,
    "total_ms": 7.0,
}


def requests_of(*lines: object) -> RecentRequests:
    recent = RecentRequests(lambda: 5.0)
    for line in lines:
        recent.note(line if isinstance(line, str) else json.dumps(line))
    return recent


async def rows(recent: RecentRequests) -> list[Row]:
    """The rows that are kept."""
    found = []
    async with aclosing(as_generator(recent, 0)) as following:
        async for row in following:
            if row is None:
                break
            found.append(row)
    return found


def as_generator(recent: RecentRequests, idle_s: float) -> Any:
    following: AsyncIterator[Row | None] = recent.follow(idle_s)
    return following


async def test_request_becomes_a_row_of_names_and_figures() -> None:
    assert await rows(requests_of(URL)) == [URL_ROW]
    charged = {**URL, "usage": None}
    assert (await rows(requests_of(charged)))[0]["tokens"] == 50


async def test_prompts_answers_and_unknown_fields_are_left_out() -> None:
    said = {"messages": [{"content": "hush"}], "answer": "hush", "detail": "hush", "new": "hush"}
    odd = {"principal": ["hush"], "model": {"hush": 1}, "status": "hush", "usage": "hush"}
    for fields in (said, odd):
        (row,) = await rows(requests_of({**URL, **fields}))
        assert "hush" not in json.dumps(row)


async def test_request_of_the_chat_log_counts_without_what_was_said() -> None:
    said = {"datetime": "2026", "status": 500, "messages": ['hush, "datetime": '], "answer": "hush"}
    line = json.dumps(URL)[:-1] + ", " + json.dumps(said)[1:]
    for logged in (line, line[: line.index("hush") + 2]):  # a long line comes in parts
        assert await rows(requests_of(logged)) == [URL_ROW]


@pytest.mark.parametrize(
    "line",
    [
        "INIT_START",
        '{"level": "INFO", "request_id": "r"}',
        '{"request_id": "r", "transport": "url", "messages": ["cut off',
        json.dumps({"request_id": "r", "chat_part": 1, "text": '{"transport": "url"'}),
        json.dumps({**URL, "transport": "disconnect"}),
        json.dumps({**URL, "transport": "connect"}),
        json.dumps({"request_id": "r", "messages": [], "answer": "a"}),
    ],
)
async def test_other_lines_are_no_requests(line: str) -> None:
    assert await rows(requests_of(line)) == []


async def test_principal_of_a_message_may_stand_in_the_line_of_its_connection() -> None:
    connect = {"request_id": "r", "transport": "connect", "outcome": "ok", "connection_id": "c1"}
    (row,) = await rows(requests_of({**connect, "principal": "team-b"}, CHAT))
    assert (row["principal"], row["what"], row["first_ms"]) == ("team-b", "chat", 3.0)
    (own,) = await rows(requests_of({**connect, "principal": "b"}, {**CHAT, "principal": "c"}))
    assert own["principal"] == "c"


async def test_principals_of_the_last_thousand_connections_are_known() -> None:
    opened = {"request_id": "r", "transport": "connect", "outcome": "ok", "principal": "team"}
    connections = [{**opened, "connection_id": f"c{number}"} for number in range(1001)]
    chats = [{**CHAT, "connection_id": name} for name in ("c0", "c1", "c1000")]
    found = [row.get("principal") for row in await rows(requests_of(*connections, *chats))]
    assert found == [None, "team", "team"]


async def test_refused_handshake_is_a_row() -> None:
    refused = {"request_id": "r", "transport": "connect", "outcome": "invalid_api_key"}
    (row,) = await rows(requests_of(refused))
    assert (row["what"], row["outcome"]) == ("handshake", "invalid_api_key")


async def test_only_the_last_ones_are_kept() -> None:
    many = [{**URL, "status": number} for number in range(MAX_ROWS + 5)]
    assert [row["status"] for row in await rows(requests_of(*many))] == [*range(5, MAX_ROWS + 5)]


async def test_follower_gets_what_comes_until_the_end() -> None:
    recent = requests_of(URL)
    following = as_generator(recent, LONG_S)
    assert await anext(following) == URL_ROW
    waiting = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    recent.note(json.dumps(CHAT))
    assert (await waiting)["outcome"] == "cancelled"
    waiting = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    recent.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
