"""What a client may want of the cache."""

from __future__ import annotations

import pytest

from sluice.cache.wishes import Wishes, wishes_of
from sluice.errors import InvalidField

TTL_S = 86_400
ANY = Wishes(may_read=True, may_keep=True, ttl_s=TTL_S)
NONE = Wishes(may_read=False, may_keep=False, ttl_s=TTL_S)


@pytest.mark.parametrize(
    ("headers", "caching", "wishes"),
    [
        ({}, None, ANY),
        ({"cache-control": "no-cache"}, None, ANY._replace(may_read=False)),
        ({"cache-control": "no-store"}, None, ANY._replace(may_keep=False)),
        ({"cache-control": "No-Cache , no-store"}, None, NONE),
        ({"cache-control": "max-age=0"}, None, ANY._replace(may_read=False, max_age_s=0)),
        ({"cache-control": 'no-transform, Max-Age="060"'}, None, ANY._replace(max_age_s=60)),
        ({"cache-control": "max-age, max-age=x"}, None, ANY),
        ({"cache-control": "only-if-cached"}, None, ANY._replace(only_kept=True)),
        ({}, True, ANY),
        ({}, False, NONE),
        ({"x-sluice-cache-ttl": "60"}, None, ANY._replace(ttl_s=60)),
        ({"x-sluice-cache-ttl": "9" * 5000}, None, ANY),
        ({"x-sluice-cache-ttl": "0" * 10}, None, ANY._replace(may_keep=False, ttl_s=0)),
    ],
    ids=str,
)
def test_wishes(headers: dict[str, str], caching: bool | None, wishes: Wishes) -> None:  # noqa: FBT001
    assert wishes_of(headers, TTL_S, caching=caching) == wishes


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1h", "٣"])
def test_ttl_is_whole_seconds(text: str) -> None:
    with pytest.raises(InvalidField, match="x-sluice-cache-ttl must be whole seconds") as caught:
        wishes_of({"x-sluice-cache-ttl": text}, TTL_S)
    assert caught.value.param == "x-sluice-cache-ttl"
