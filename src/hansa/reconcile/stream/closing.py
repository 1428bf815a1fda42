"""Closing: what comes out of a window once both banks have shown what does not match by tags.

Both compute it by themselves, with the very passes of a batch over the same entries, so both come
to the same result; the ledger gets a commitment to it. What matched by tags is counted alone: the
first pass would have matched it, and no later one looks at it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa

from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.values import Hash, NonNegative, Signed
from hansa.reconcile.batch.preparing import ROW, SOURCE
from hansa.reconcile.batch.rest import Rest
from hansa.reconcile.batch.results import hash_even, hash_window
from hansa.reconcile.batch.windows.few import reconcile_few
from hansa.reconcile.readers.parts import build_batch
from hansa.reconcile.stream.disclosure import Basis
from hansa.reconcile.stream.entries import read_entry
from hansa.reconcile.stream.terms import Pair, Place, Use


class Group(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A match or a break: entries of both sides, as they travel."""

    label: str
    """The pass that matched it, or the class of the break."""
    reason: str
    left: tuple[bytes, ...]
    right: tuple[bytes, ...]
    id: bytes = b""
    """Of a break: names its case; the same for both banks and for as long as it stays one."""


class NetAmount(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What matched in one currency, as the left bank's books have it."""

    currency: str
    entries: NonNegative
    net_minor: Signed


class Outcome(Document, frozen=True, array_like=True):
    """What came out of a window."""

    window: NonNegative
    left_entries: NonNegative
    right_entries: NonNegative
    pairs: NonNegative
    """That the first pass matched, by tags or in what was shown."""
    matches: tuple[Group, ...]
    """Of all, those that were shown to the other bank."""
    breaks: tuple[Group, ...]
    nets: tuple[NetAmount, ...]
    result: Hash
    """Hash of it all, which a batch over the same window has, too."""

    @property
    def basis(self) -> Basis:
        """Of how many entries it is the outcome."""
        return self.left_entries, self.right_entries

    def list_open(self, place: Place, done_with: Collection[bytes] = ()) -> list[bytes]:
        """List one party's entries in breaks, but for some; they go into the next window."""
        sides = [(each.left, each.right)[place] for each in self.breaks if each.id not in done_with]
        return [entry for side in sides for entry in side]


decode_outcome = Decoder[Outcome](Outcome, "outcome of a window").decode


class Even(NamedTuple):
    """What matched by tags alone: all of one's entries under tags that both posted as often."""

    pairs: int
    nets: Mapping[str, tuple[int, int]]
    """By currency: entries, and their sum as the left bank sees it."""


def close_window(
    pair: Pair, window: int, basis: Basis, even: Even, shown: tuple[list[bytes], list[bytes]]
) -> Outcome:
    """Compute what comes out of a window.

    Args:
      pair: whose it is.
      window: its number.
      basis: how many entries both had posted.
      even: what matched by tags.
      shown: entries of the left and the right bank under uneven tags, in any order.
    """
    if not any(shown):
        return _close_even(window, basis, even)
    # Sorted, so that both banks give the same numbers to what is alike.
    left, right = (sorted(side) for side in shown)
    found = reconcile_few(
        _build_table(left), _build_table(right), pair.book, sides=pair.sides, rates=pair.rates
    )
    passed = found.passed
    matches = [
        Group(pair.first.name, "the same tag", (left[a],), (right[b],)) for a, b in found.pairs
    ]
    for each in passed.passes:
        matches += (
            _gather(passed.rest, (left, right), each.name, match.reason, (match.left, match.right))
            for match in each.matches
        )
    breaks = [
        _gather(passed.rest, (left, right), each.kind.value, each.reason, (each.left, each.right))
        for each in passed.breaks
    ]
    pairs = even.pairs + len(found.pairs)
    return Outcome(
        window,
        *basis,
        pairs,
        tuple(sorted(matches, key=_order)),
        _name(pair, sorted(breaks, key=_order)),
        _add_up(even, matches),
        bytes.fromhex(hash_window(passed, pairs)),
    )


def seal_result(pair: Pair, outcome: Outcome) -> bytes:
    """Compute the commitment to an outcome that is stated on the ledger."""
    content = (outcome.window, *outcome.basis, outcome.result)
    return pair.seal(Use.RESULT, encode(content))


def list_healed(before: Sequence[Group], after: Sequence[Group]) -> list[bytes]:
    """List the names of breaks of which nothing is open any more, sorted."""
    still = {entry for each in after for entry in (*each.left, *each.right)}
    return sorted({each.id for each in before if still.isdisjoint((*each.left, *each.right))})


def _close_even(window: int, basis: Basis, even: Even) -> Outcome:
    """Close a window in which every entry found its partner by its tag."""
    result = bytes.fromhex(hash_even(even.pairs))
    return Outcome(window, *basis, even.pairs, (), (), _add_up(even, ()), result)


def _build_table(entries: Sequence[bytes]) -> pa.Table:
    table = pa.Table.from_batches([build_batch([read_entry(each) for each in entries])])
    numbers = pa.array(range(len(entries)), pa.int64())
    source = pa.array([0] * len(entries), pa.int32())
    return table.append_column(SOURCE, source).append_column(ROW, numbers)


def _gather(
    rest: Rest,
    sides: tuple[Sequence[bytes], Sequence[bytes]],
    label: str,
    reason: str,
    places: tuple[Sequence[int], Sequence[int]],
) -> Group:
    """Gather the entries of a group that passes name by their places in the rest."""
    left, right = (
        tuple(sorted(entries[side.rows[place]] for place in each))
        for entries, side, each in zip(sides, rest, places, strict=True)
    )
    return Group(label, reason, left, right)


def _order(group: Group) -> tuple[object, ...]:
    return group.label, group.left, group.right, group.reason


def _name(pair: Pair, breaks: Iterable[Group]) -> tuple[Group, ...]:
    """Name breaks by what their entries say; of some that say the same, each by its number."""
    seen: Counter[tuple[tuple[bytes, ...], tuple[bytes, ...]]] = Counter()
    named = []
    for each in breaks:
        key = (each.left, each.right)
        name = pair.seal(Use.CASE, encode((*key, seen[key])))
        seen[key] += 1
        named.append(msgspec.structs.replace(each, id=name))
    return tuple(named)


def _add_up(even: Even, matches: Iterable[Group]) -> tuple[NetAmount, ...]:
    """Add up what matched: where amounts differ within a tolerance, the left bank's counts."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for currency, (entries, net_minor) in even.nets.items():
        counts[currency] = [entries, net_minor]
    for each in matches:
        for entry in map(read_entry, each.left):
            counts[entry.currency][0] += 1
            counts[entry.currency][1] += entry.amount_minor
    return tuple(NetAmount(currency, *counts[currency]) for currency in sorted(counts))
