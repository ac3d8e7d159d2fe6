"""The calls of a runtime: the maximum size of a stream."""

from __future__ import annotations

import pytest

from local.errors import FunctionFailure
from local.invocation import WholeAnswer
from local.limits import MAX_STREAMED_RESPONSE_BYTES, MIB
from local.runtime_api.calls import ACCEPTED, Reply, StreamedCall


class CountingReceiver(WholeAnswer):
    def __init__(self) -> None:
        super().__init__(0)
        self.count = 0

    def piece(self, data: bytes) -> None:
        self.count += len(data)


@pytest.mark.parametrize(
    ("last", "received", "error_type"),
    [
        (MIB, MAX_STREAMED_RESPONSE_BYTES, None),
        (MIB + 1, MAX_STREAMED_RESPONSE_BYTES - MIB, "Function.ResponseSizeTooLarge"),
    ],
)
def test_stream_passes_up_to_the_maximum_size(
    last: int, received: int, error_type: str | None
) -> None:
    receiver = CountingReceiver()
    outcomes: list[FunctionFailure | None] = []
    replies: list[Reply | None] = []
    call = StreamedCall({}, outcomes.append, receiver)
    for _ in range(MAX_STREAMED_RESPONSE_BYTES // MIB - 1):
        call.piece(b"x" * MIB)
    call.piece(b"x" * last)
    call.end({}, replies.append)
    assert (receiver.count, replies) == (received, [ACCEPTED])
    assert [failure and failure.error_type for failure in outcomes] == [error_type]
