"""What a client wants of the cache for one request. No I/O."""

from __future__ import annotations

from sluice.errors import InvalidField
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

TTL_HEADER = "x-sluice-cache-ttl"
NO_CACHE, NO_STORE, ONLY_IF_CACHED = "no-cache", "no-store", "only-if-cached"
"""Directives of Cache-Control: RFC 9111 section 5.2.1."""
MAX_AGE = "max-age"
MAX_DIGITS = 9
"""Of a number of seconds: 30 years, which no setting reaches."""


class Wishes(NamedTuple):
    """may_read, may_keep: whether a kept answer may be given, and this one be kept, for ttl_s.

    max_age_s: of a kept answer; None for any. only_kept: whether no other answer is wanted.
    """

    may_read: bool
    may_keep: bool
    ttl_s: int
    max_age_s: int | None = None
    only_kept: bool = False


def wishes_of(headers: Mapping[str, str], ttl_s: int, *, caching: bool | None = None) -> Wishes:
    """The wishes of a request. ttl_s: CACHE_TTL, which a client may shorten, but not extend.

    caching: false for neither. Raises InvalidField.
    """
    directives = _directives(headers.get("cache-control", ""))
    max_age_s = _seconds(directives.get(MAX_AGE, ""))
    kept_s = _ttl(headers, ttl_s)
    may_use = caching is not False
    # Browsers say max-age=0 where a page asks for a new answer.
    may_read = may_use and NO_CACHE not in directives and max_age_s != 0
    may_keep = may_use and NO_STORE not in directives and kept_s > 0
    return Wishes(may_read, may_keep, kept_s, max_age_s, ONLY_IF_CACHED in directives)


def _directives(text: str) -> dict[str, str]:
    pairs = (each.strip().lower().partition("=") for each in text.split(","))
    return {name: value.strip('"') for name, _, value in pairs}


def _ttl(headers: Mapping[str, str], ttl_s: int) -> int:
    text = headers.get(TTL_HEADER)
    if text is None:
        return ttl_s
    seconds = _seconds(text)
    if seconds is None:
        raise InvalidField(f"{TTL_HEADER} must be whole seconds, such as 3600.", param=TTL_HEADER)
    return min(seconds, ttl_s)


def _seconds(text: str) -> int | None:
    """A number of seconds, a large one cut off; None for another text."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= MAX_DIGITS else 10**MAX_DIGITS
