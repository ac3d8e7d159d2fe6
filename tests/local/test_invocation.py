"""The ids of an invocation."""

from __future__ import annotations

import uuid

from local.invocation import new_id, new_identity


def test_id_is_a_random_uuid() -> None:
    found = uuid.UUID(new_id())
    assert (found.version, found.variant) == (4, uuid.RFC_4122)


def test_ids_differ() -> None:
    identity = new_identity("t")
    assert identity.request_id != identity.invocation_id
    assert identity.trace_id == "t"
