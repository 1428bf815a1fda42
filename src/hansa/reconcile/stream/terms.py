"""Terms: what the two parties of an agreement hold, of which the ledger has a commitment alone.

They are the rules, the rates, what is settled, and a secret of which all keys of the pair are made.
Whoever has not the secret can neither make a tag nor try amounts against one.

Source: RFC 7693 (keyed BLAKE2b); docs/concepts/reconciliation.md.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from hansa.contracts.reconciliation import agreements
from hansa.contracts.reconciliation.agreements import KeepDays, Propose
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.trees.merkle import Digest
from hansa.kernel.values import Address, AssetCode, Hash
from hansa.reconcile.rules.book import Net, RuleBook, Side, Window
from hansa.reconcile.rules.loading import RULES_BYTES_MAX, load_rules
from hansa.reconcile.rules.rates import RateTable, load_rates

ASSETS_MAX = 16
RATES_MAX = 1 << 19
"""Bytes of rates: all terms go into one message."""
SIDES = 2
_EPOCH = dt.date(1970, 1, 1)
_NEEDED = frozenset({"currency", "amount_minor"})


class Place(IntEnum):
    """Which of the two parties one is; the left one's books lead."""

    LEFT = 0
    RIGHT = 1

    @property
    def other(self) -> Place:
        """The other party's."""
        return Place(1 - self)


class Terms(Document, frozen=True, array_like=True):
    """What two parties agree on, as it travels between them."""

    version: Literal[1]
    left: Address
    right: Address
    keep_days: KeepDays
    rules: Annotated[bytes, Meta(max_length=RULES_BYTES_MAX)]
    """A rule file as it was written, with two sides and a `[window]`."""
    rates: Annotated[bytes, Meta(max_length=RATES_MAX)]
    """The file of rates that it names; empty if it names none."""
    assets: Annotated[tuple[AssetCode, ...], Meta(max_length=ASSETS_MAX)]
    """In which net positions are signed and settled: M0, named as its currency."""
    secret: Hash
    """Drawn by whoever proposes."""


_decode = Decoder[Terms](Terms, "terms of reconciliation").decode


class Use(IntEnum):
    """What a key of the pair is for."""

    TAG = 1
    BUCKET = 2
    CASE = 3
    RESULT = 4
    POSITION = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """An agreement as its parties see it."""

    terms: Terms
    agreement: bytes
    """Its name on the ledger."""
    proposal: Propose
    """The command by which the left party would propose it."""
    book: RuleBook
    window: Window
    first: Net
    """The pass that tags stand for."""
    rates: RateTable | None
    digest: Digest
    """The network's hash."""

    @property
    def sides(self) -> tuple[Side, Side]:
        """Of the rules: left and right."""
        left, right = self.book.sides
        return left, right

    def get_bank(self, place: Place) -> bytes:
        """Get the address of a party."""
        return (self.terms.left, self.terms.right)[place]

    def find_place(self, bank: bytes) -> Place | None:
        """Find which party a bank is; None if it is neither."""
        banks = (self.terms.left, self.terms.right)
        return Place(banks.index(bank)) if bank in banks else None

    def seal(self, use: Use, content: bytes, size: int = 32) -> bytes:
        """Compute a keyed hash for one use: BLAKE2b under the pair's secret."""
        person = b"hansa-pair-" + bytes([use])
        return hashlib.blake2b(
            content, digest_size=size, key=self.terms.secret, person=person
        ).digest()

    def propose(self, bank: bytes) -> Propose:
        """Build the command by which one of the parties proposes it."""
        return replace(self.proposal, bank=bank)


def open_terms(raw: bytes, digest: Digest) -> Pair:
    """Open terms, one's own or those that the other party sent.

    Raises:
      Invalid: they are malformed, or rules or rates are wrong or do not fit for streaming.
    """
    terms = _decode(raw)
    if terms.left == terms.right:
        raise Invalid(InvalidCode.ARGUMENTS, "both parties are the same: name two members")
    book = load_rules(terms.rules, "the rule file")
    first, window = _require_first(book), _require_window(book)
    rates = None
    if book.rates is not None:
        if not terms.rates:
            raise Invalid(InvalidCode.ARGUMENTS, "the rules convert by [rates]: add that file")
        rates = load_rates(terms.rates, book.rates.file, book.rates.days)
    commitment = digest(b"hansa\x00terms\x00" + raw)
    proposal = Propose(
        terms.left,
        terms.left,
        terms.right,
        commitment,
        (window.start - _EPOCH).days,
        window.days,
        terms.keep_days,
    )
    agreement = agreements.compute_id(proposal, digest)
    return Pair(terms, agreement, proposal, book, window, first, rates, digest)


def write_terms(terms: Terms, digest: Digest) -> bytes:
    """Write terms as they travel, once they are found to be sound; raises as `open_terms`."""
    raw = encode(terms)
    open_terms(raw, digest)
    return raw


def _require_first(book: RuleBook) -> Net:
    if len(book.sides) != SIDES:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"the rule file has {len(book.sides)} sides, and an agreement has two: write one for "
            "each pair of banks",
        )
    first = book.passes[0]
    if not isinstance(first, Net) or not set(first.on) >= _NEEDED:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"the first pass ({first.name}) must be of kind net and name currency and amount_minor "
            "in its `on`: tags on the ledger stand for just that",
        )
    return first


def _require_window(book: RuleBook) -> Window:
    if book.window is None:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            "the rule file has no [window]: say of how many `days` one is, and `from` when",
        )
    if book.window.start < _EPOCH:
        raise Invalid(InvalidCode.ARGUMENTS, "window.from: must not be before 1970-01-01")
    return book.window
