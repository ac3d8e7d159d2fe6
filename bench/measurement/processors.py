"""Which processor runs what: the subject of a measurement has its own."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


ALL = sorted(os.sched_getaffinity(0))
SUBJECT = set(ALL[:1])
"""The processor of the subject."""
OTHERS = set(ALL[1:]) or SUBJECT
"""The processors of upstream and client."""


@contextmanager
def running_on(processors: set[int]) -> Iterator[None]:
    """In the block, this thread and what it starts run on these processors only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
