"""What a client may want of the cache."""

from __future__ import annotations

import pytest

from sluice.cache.wishes import Wishes, wishes_of
from sluice.errors import InvalidField

TTL_S = 86_400
ANY = Wishes(may_read=True, may_keep=True, ttl_s=TTL_S)
NONE = Wishes(may_read=False, may_keep=False, ttl_s=TTL_S)


@pytest.mark.parametrize(
    ("headers", "document", "wishes"),
    [
        ({}, {}, ANY),
        ({"cache-control": "no-cache"}, {}, ANY._replace(may_read=False)),
        ({"cache-control": "no-store"}, {}, ANY._replace(may_keep=False)),
        ({"cache-control": "No-Cache , no-store"}, {}, NONE),
        ({"cache-control": "max-age=0"}, {}, ANY),
        ({}, {"caching": True}, ANY),
        ({}, {"caching": False}, NONE),
        ({"x-sluice-cache-ttl": "60"}, {}, ANY._replace(ttl_s=60)),
        ({"x-sluice-cache-ttl": "999999999"}, {}, ANY),
        ({"x-sluice-cache-ttl": "0"}, {}, ANY._replace(may_keep=False, ttl_s=0)),
    ],
    ids=str,
)
def test_wishes(headers: dict[str, str], document: dict[str, object], wishes: Wishes) -> None:
    assert wishes_of(headers, document, TTL_S) == wishes


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1h", "٣", "1" * 10])
def test_ttl_is_whole_seconds(text: str) -> None:
    with pytest.raises(InvalidField, match="x-sluice-cache-ttl must be whole seconds") as caught:
        wishes_of({"x-sluice-cache-ttl": text}, {}, TTL_S)
    assert caught.value.param == "x-sluice-cache-ttl"


@pytest.mark.parametrize("value", [None, 1, "true"])
def test_caching_is_true_or_false(value: object) -> None:
    with pytest.raises(InvalidField, match="caching must be true or false"):
        wishes_of({}, {"caching": value}, TTL_S)
