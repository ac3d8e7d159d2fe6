"""What a client wants of the cache for one request. No I/O."""

from __future__ import annotations

from sluice.errors import InvalidField
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

TTL_HEADER = "x-sluice-cache-ttl"
NO_CACHE, NO_STORE = "no-cache", "no-store"
"""Directives of Cache-Control: RFC 9111 section 5.2.1."""
MAX_TTL_DIGITS = 9


class Wishes(NamedTuple):
    """may_read, may_keep: whether a kept answer may be given, and this one be kept, for ttl_s."""

    may_read: bool
    may_keep: bool
    ttl_s: int


def wishes_of(headers: Mapping[str, str], ttl_s: int, *, caching: bool | None = None) -> Wishes:
    """The wishes of a request. ttl_s: CACHE_TTL, which a client may shorten, but not extend.

    caching: false for neither. Raises InvalidField.
    """
    directives = {each.strip().lower() for each in headers.get("cache-control", "").split(",")}
    kept_s = min(_ttl(headers, ttl_s), ttl_s)
    may_use = caching is not False
    may_keep = may_use and NO_STORE not in directives and kept_s > 0
    return Wishes(may_use and NO_CACHE not in directives, may_keep, kept_s)


def _ttl(headers: Mapping[str, str], ttl_s: int) -> int:
    text = headers.get(TTL_HEADER)
    if text is None:
        return ttl_s
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_TTL_DIGITS):
        raise InvalidField(f"{TTL_HEADER} must be whole seconds, such as 3600.", param=TTL_HEADER)
    return int(text)
