"""Disclosures: what a bank shows the other of a closed window, and whether it holds.

Shown are all entries under tags of which both have not posted as many: what matched is not. The
other bank holds them against the ledger: they make those tags, they are what was committed to when
they were posted, and none is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from hansa.contracts.reconciliation.reconciliation import compute_chain
from hansa.contracts.reconciliation.windows import Tag, TagCount, Tally, Window, WindowNumber
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.encoding import Decoder, Document
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.values import Hash, NonNegative
from hansa.reconcile.stream.entries import Tagger, compute_commitment, read_entry
from hansa.reconcile.stream.terms import Pair, Place

PART_BYTES = 700_000
"""Of one message, about."""
PARTS_MAX = 1_000
"""All are held at once when they are checked."""

Basis = tuple[int, int]
"""How many entries left and right had posted, of which something is said."""


class Shown(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An entry, and the salt of its commitment."""

    salt: Hash
    entry: bytes


class ShownTag(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Entries of a bank under a tag, as they were posted one after another.

    All of them; at the end of a part, it may go on in the next one.
    """

    tag: Tag
    entries: tuple[Shown, ...]


class Disclosure(Document, frozen=True, array_like=True):
    """One part of what a bank shows of a window."""

    version: Literal[1]
    agreement: Hash
    window: WindowNumber
    left_entries: NonNegative
    right_entries: NonNegative
    part: Annotated[int, Meta(ge=0, lt=PARTS_MAX)]
    parts: Annotated[int, Meta(ge=1, le=PARTS_MAX)]
    tags: tuple[ShownTag, ...]

    @property
    def basis(self) -> Basis:
        """Of what it is said."""
        return self.left_entries, self.right_entries


decode_disclosure = Decoder[Disclosure](Disclosure, "disclosure").decode


class Uneven(NamedTuple):
    """A tag of which both have not posted as many."""

    tag: bytes
    own: Tally
    other: Tally


def split_tallies(count: TagCount, place: Place) -> Uneven:
    """Split what is counted under a tag into one's own and the other's."""
    sides = count.left, count.right
    return Uneven(count.tag, sides[place], sides[place.other])


def build_disclosures(
    pair: Pair, window: int, basis: Basis, tags: Iterable[ShownTag]
) -> Iterator[Disclosure]:
    """Build the parts in which a bank shows these tags; one at least, which may be empty."""
    parts: list[list[ShownTag]] = [[]]
    size = 0
    for shown in tags:
        held: list[Shown] = []
        for each in shown.entries:
            length = len(each.entry) + 64 + (0 if held else 64)
            if size and size + length > PART_BYTES:
                parts[-1] += [ShownTag(shown.tag, tuple(held))] if held else []
                parts.append([])
                held, size = [], 0
            held.append(each)
            size += length
        parts[-1].append(ShownTag(shown.tag, tuple(held)))
    for number, part in enumerate(parts):
        yield Disclosure(1, pair.agreement, window, *basis, number, len(parts), tuple(part))


def join_parts(parts: Sequence[Disclosure]) -> list[ShownTag] | None:
    """Join the parts of one disclosure in their order; None while some are missing."""
    if not parts or [each.part for each in parts] != list(range(parts[0].parts)):
        return None
    tags: list[ShownTag] = []
    for each in parts:
        shown = each.tags
        if tags and shown and tags[-1].tag == shown[0].tag:
            begun = tags.pop()
            whole = ShownTag(begun.tag, (*begun.entries, *shown[0].entries))
            shown = (whole, *shown[1:])
        tags += shown
    return tags


def check_disclosure(
    pair: Pair,
    place: Place,
    window: Window,
    shown: Sequence[ShownTag],
    counts: Mapping[bytes, TagCount],
) -> list[bytes]:
    """Check what the other bank shows; returns its entries, in the order of their tags.

    Args:
      pair: whose window it is.
      place: one's own.
      window: its figures on the ledger.
      shown: by the other bank, all parts.
      counts: rows of all these tags, and of all one's own that are uneven.

    Raises:
      Invalid: something does not hold; the text says what.
    """
    tagger = Tagger(pair, place.other)
    uneven = {tag: split_tallies(count, place) for tag, count in counts.items()}
    entries: dict[bytes, list[bytes]] = {}
    for each in shown:
        if each.tag in entries:
            raise _unsound(each.tag, "is shown twice")
        _check_tag(pair, tagger, window.window, each, uneven.get(each.tag))
        entries[each.tag] = [item.entry for item in each.entries]
    for tag, posted in uneven.items():
        if posted.other.entries and tag not in entries:
            raise _unsound(tag, "has entries on the ledger that are not shown")
    open_entries = sum(
        max(0, uneven[tag].other.entries - uneven[tag].own.entries) for tag in entries
    )
    promised = (window.right if place is Place.LEFT else window.left).open
    if open_entries != promised:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"the other bank shows {open_entries} entries without a partner, and has posted "
            f"{promised}: it leaves some out",
        )
    return [entry for tag in sorted(entries) for entry in entries[tag]]


def _check_tag(
    pair: Pair, tagger: Tagger, window: int, shown: ShownTag, posted: Uneven | None
) -> None:
    if posted is None or len(shown.entries) != posted.other.entries:
        raise _unsound(shown.tag, "has another number of entries on the ledger")
    chain = ZERO_HASH
    for item in shown.entries:
        tagged = tagger.tag(read_entry(item.entry), window)
        if tagged is None or tagged.tag != shown.tag:
            raise _unsound(shown.tag, "is not the tag of what is shown under it")
        commitment = compute_commitment(pair, item.salt, item.entry)
        chain = compute_chain(chain, commitment, pair.digest)
    if chain != posted.other.chain:
        raise _unsound(shown.tag, "is of entries to which the bank did not commit")


def _unsound(tag: bytes, what: str) -> Invalid:
    return Invalid(
        InvalidCode.ARGUMENTS,
        f"what the other bank shows does not hold: the tag {tag.hex()} {what}",
        tag=tag,
    )
