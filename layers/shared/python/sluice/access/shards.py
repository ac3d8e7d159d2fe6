"""A busy principal's account in several items, each with its part of every limit (no I/O).

DynamoDB takes some 1,000 writes a second for one item. Each shard holds a copy of the record, so
that a change of it is seen at once, and counts on its own. The parts of a limit add up to it
exactly, so all shards together never let more through.
"""

from __future__ import annotations

from sluice.access.account import CLAIMED, RUNNING, SPENT, TOKENS, Refusal
from sluice.access.windows import COUNTED, merged_counts
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.state.item import Item

MAX_SHARDS = 20
"""Maximum number of shards. A rotation changes two items for each: DynamoDB changes at most 100
items together."""
SUMMED = (COUNTED, TOKENS, CLAIMED, SPENT)


class Part(NamedTuple):
    """One of `of` shards; a number of None means all of them together."""

    number: int | None = 0
    of: int = 1

    @property
    def is_whole(self) -> bool:
        return self.number is None or self.of == 1

    def share(self, limit: int | None) -> int | None:
        """This part of a limit, if there is one."""
        if self.number is None or limit is None:
            return limit
        whole, rest = divmod(limit, self.of)
        return whole + (self.number < rest)


WHOLE = Part()


def shard_accounts(account: str, count: int) -> list[str]:
    """The keys of the items. The first one is what the account has without shards."""
    return [account, *(f"{account} {index}" for index in range(1, count))]


def merged(items: Sequence[Item]) -> Item:
    """What shards count together, and the record, as one item."""
    whole: dict[str, str | int] = {}
    for item in items:
        for name, value in item.items():
            if name not in whole:
                whole[name] = value
            elif name == RUNNING or name.startswith(SUMMED):
                whole[name] = int(whole[name]) + int(value)
            else:
                whole[name] = merged_counts(name, str(whole[name]), value)
    return whole


def merged_refusal(refusals: Sequence[Refusal]) -> Refusal:
    """Of refusals by all shards the one that ends first, with the whole limit."""
    first = min(refusals, key=lambda each: each.retry_at or float("inf"))
    same = [each for each in refusals if each.kind == first.kind]
    limit, used = sum(each.limit for each in same), sum(each.used for each in same)
    return first._replace(limit=limit, used=used)
