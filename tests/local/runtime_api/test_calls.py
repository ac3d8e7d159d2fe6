"""What becomes of the body of a runtime's call."""

from __future__ import annotations

import asyncio

from local.errors import FunctionFailure
from local.invocation import Invocation, InvocationIdentity, WholeAnswer
from local.limits import MAX_STREAMED_RESPONSE_BYTES, MIB
from local.runtime_api.calls import ACCEPTED, Reply, StreamedCall


class CountingReceiver(WholeAnswer):
    def __init__(self) -> None:
        super().__init__(0)
        self.count = 0

    def piece(self, data: bytes) -> None:
        self.count += len(data)


def streamed(last: bytes) -> tuple[int, FunctionFailure | None, list[Reply | None]]:
    """Stream one MiB less than the most, then `last`."""

    async def whole() -> tuple[int, FunctionFailure | None, list[Reply | None]]:
        receiver = CountingReceiver()
        invocation = Invocation(InvocationIdentity("id", "inv", "t"), b"{}", receiver)
        replies: list[Reply | None] = []
        call = StreamedCall({}, invocation, Invocation.settle)
        part = b"x" * MIB
        for _ in range(MAX_STREAMED_RESPONSE_BYTES // MIB - 1):
            call.piece(part)
        call.piece(last)
        call.end({}, replies.append)
        return receiver.count, await invocation.outcome, replies

    return asyncio.run(whole())


def test_stream_of_the_largest_size_passes() -> None:
    assert streamed(b"x" * MIB) == (MAX_STREAMED_RESPONSE_BYTES, None, [ACCEPTED])


def test_larger_stream_fails_and_no_more_of_it_is_handed_over() -> None:
    count, failure, replies = streamed(b"x" * (MIB + 1))
    assert count == MAX_STREAMED_RESPONSE_BYTES - MIB
    assert failure is not None
    assert failure.error_type == "Function.ResponseSizeTooLarge"
    assert replies == [ACCEPTED]
