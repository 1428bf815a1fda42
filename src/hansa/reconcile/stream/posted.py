"""What a bank has posted of a window, as its journal has it.

An entry that was added since, or that an agreement's end kept from being posted, does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hansa.reconcile.stream.closing import Even
from hansa.reconcile.stream.journal import Journal, Posting

AT_ONCE = 256


def list_posted(
    journal: Journal, window: int, posted: int, tags: Collection[bytes]
) -> Iterator[Posting]:
    """List the first `posted` entries of a window, those under these tags, in their order."""
    return (each for each in journal.list_tagged(window, tags) if each.number < posted)


def list_late(journal: Journal, window: int, posted: int) -> Iterator[Posting]:
    """List the entries of a window behind the first `posted`, in their order."""
    while late := journal.list_postings(window, posted, AT_ONCE):
        yield from late
        posted += len(late)


def sum_even(journal: Journal, window: int, posted: int, uneven: Collection[bytes]) -> Even:
    """Sum up what matched by tags alone: of the first `posted`, what is under no uneven tag."""
    sums = journal.sum_up(window, uneven)
    for _, late in list_late(journal, window, posted):
        if late.tag not in uneven:
            entries, net_minor = sums[late.currency]
            sums[late.currency] = entries - 1, net_minor - late.amount_minor
    nets = {currency: found for currency, found in sums.items() if found[0]}
    return Even(sum(entries for entries, _ in nets.values()), nets)
