"""A rule file: its sides, what makes entries comparable, and passes in the order they are taken.

A pass matches what the passes before it left. Amounts are minor units, days are whole days; nothing
but a score has a default that lets more through than equality.

Source: docs/reference/reconciliation-rules.md.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hansa.kernel.values import INT64_MAX

SIDES_MAX = 16
PAIRS_MAX = 120
"""As many as 16 sides have."""
PASSES_MAX = 32
DAYS_MAX = 366
PARTS_MAX = 12
"""Of a sum that is searched: more of them, and nearly every amount has one."""
COMPARISONS_MAX = 16
LEVELS_MAX = 30
MILLION = 1_000_000
PPM_MAX = 500_000

Name = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,31}\Z")]
Days = Annotated[int, Meta(ge=0, le=DAYS_MAX)]
Minor = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Bound = Annotated[int, Meta(ge=0, le=1 << 53)]
"""Minor units that amounts may be apart: as much as amounts that are added up may be."""
Signed = Annotated[int, Meta(ge=-INT64_MAX, le=INT64_MAX)]
PartsPerMillion = Annotated[int, Meta(ge=0, le=PPM_MAX)]
CurrencyCode = Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]
OffsetMinutes = Annotated[int, Meta(ge=-14 * 60, le=14 * 60)]

FORMS = {
    r"\A[a-z][a-z0-9_]{0,31}\Z": "1 to 32 of the characters a-z 0-9 _, a letter first",
    r"\A[A-Z]{3}\Z": "three capital letters",
}
"""What a text must be, by its pattern."""

Field = Literal[
    "account",
    "currency",
    "amount_minor",
    "booking_date",
    "value_date",
    "reference",
    "bank_reference",
    "transaction_id",
    "counterparty",
    "counterparty_account",
    "code",
    "batch",
]
"""Of an entry, that a pass may ask to be equal; `reference` as `[references]` makes it."""

Measure = Literal["difference", "ppm", "days", "equal", "letters", "beginning", "words"]
ComparedText = Literal[
    "reference",
    "bank_reference",
    "transaction_id",
    "counterparty",
    "counterparty_account",
    "text",
    "code",
    "batch",
]
ComparedField = Literal["amount_minor", "date"] | ComparedText
"""Of an entry, that a score may compare; `date` is the value date, else the booking date."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a rule file."""


class Side(Section, frozen=True, kw_only=True):
    """Whose entries they are."""

    name: Name
    sign: Literal[1, -1] = 1
    """-1 where what comes in on the first side goes out on this one: nostro against vostro."""
    statuses: Annotated[
        tuple[Literal["booked", "pending", "information"], ...], Meta(min_length=1)
    ] = ("booked",)
    """Which entries count."""


class SidePair(Section, frozen=True, kw_only=True):
    """Two sides that are reconciled with each other."""

    left: Name
    right: Name
    passes: tuple[Name, ...] = ()
    """Names of the passes that are taken, in the order of the file; all if left out."""


class Calendar(Section, frozen=True, kw_only=True):
    """Which days are business days, and when one is over."""

    weekend: tuple[Weekday, ...] = ("saturday", "sunday")
    holidays: tuple[dt.date, ...] = ()
    cut_off: dt.time | None = None
    """By the clock of `offset_minutes`: what comes later is of the next business day."""
    offset_minutes: OffsetMinutes = 0
    """East of UTC."""


class Window(Section, frozen=True, kw_only=True):
    """What is reconciled together: the entries of so many days, and what those before left."""

    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)]
    """That one window covers."""
    start: dt.date = msgspec.field(name="from")
    """First day of window 0."""


class References(Section, frozen=True, kw_only=True):
    """How references are made comparable, before any pass."""

    fields: Annotated[
        tuple[Literal["reference", "transaction_id", "bank_reference", "text"], ...],
        Meta(min_length=1),
    ] = ("reference",)
    """The first that is not empty counts."""
    ignore_case: bool = False
    letters_and_digits: bool = False
    """Leave everything else out."""
    no_leading_zeros: bool = False
    prefixes: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=35)], ...], Meta(max_length=64)
    ] = ()
    """That banks put before it: the first that fits is left out."""
    empty: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    """What stands where there is none, as it is after all the rest."""
    separators: Annotated[str, Meta(max_length=16)] = "/"
    """Parts of one payment share what stands before the last of these characters."""


class Rates(Section, frozen=True, kw_only=True):
    """Rates of exchange, by which amounts of other currencies are compared in one."""

    file: Annotated[str, Meta(min_length=1, max_length=255)]
    """CSV beside the rule file: date, from, to, rate."""
    currency: CurrencyCode
    days: Days = 0
    """How old a rate may be."""


class Net(Section, frozen=True, kw_only=True, tag_field="kind", tag="net"):
    """Entries that are equal in these fields, copy against copy."""

    name: Name
    on: Annotated[tuple[Field, ...], Meta(min_length=1)]


class Measured(Section, frozen=True, kw_only=True):
    """How amounts and days of two entries are made comparable."""

    on: Annotated[tuple[Field, ...], Meta(min_length=1)]
    """Fields that must be equal."""
    business_days: bool = False
    """Count business days alone."""
    converted: bool = False
    """Compare amounts of other currencies by `[rates]`."""


class Near(Measured, frozen=True, kw_only=True):
    """How far two amounts, and two days, may be apart."""

    amount_minor: Bound = 0
    days: Days = 0
    """Between value dates, or booking dates where one has none."""


class Within(Near, frozen=True, kw_only=True):
    """The same, with bounds that depend on the amounts themselves."""

    amount_ppm: PartsPerMillion = 0
    """Of the larger; the wider of both bounds counts."""
    charges: bool = False
    """Amounts may also differ by just the charges that one side tells."""


class Tolerance(Within, frozen=True, kw_only=True, tag_field="kind", tag="tolerance"):
    """One entry each, within bounds: the assignment of all that is best together."""

    name: Name
    on: Annotated[tuple[Field, ...], Meta(min_length=1)]


class Parts(Within, frozen=True, kw_only=True, tag_field="kind", tag="parts"):
    """One entry against several that say that they belong together."""

    name: Name
    by: Literal["root", "reference", "batch"] = "root"
    """What the several share; `root` is a reference before its last separator."""


class Sum(Near, frozen=True, kw_only=True, tag_field="kind", tag="sum"):
    """One entry against several whose sum it is, if that can be said of no others."""

    name: Name
    parts_max: Annotated[int, Meta(ge=2, le=PARTS_MAX)] = 4


class Reversal(Within, frozen=True, kw_only=True, tag_field="kind", tag="reversal"):
    """A reversal and what it reverses, on one side."""

    name: Name
    on: Annotated[tuple[Field, ...], Meta(min_length=1)]


class NetZero(Within, frozen=True, kw_only=True, tag_field="kind", tag="net_zero"):
    """Several entries of both sides whose sums are equal: those that share something, or a few."""

    name: Name
    by: Literal["root", "reference", "batch", "amount"] = "reference"
    """`amount` shares nothing: the smallest sets that cancel out, if no other has their entries."""
    entries_max: Annotated[int, Meta(ge=2, le=PARTS_MAX)] | None = None
    """Of both sides together, that such a set may have; 4 if left out."""


class Comparison(Section, frozen=True, kw_only=True):
    """How one field of two entries is compared, and where the levels of agreement end."""

    field: ComparedField
    measure: Measure | None = None
    """`ppm` of amounts, `days` of dates, `letters` of texts if left out."""
    levels: Annotated[tuple[Signed, ...], Meta(max_length=LEVELS_MAX)] = ()
    """Upper ends of levels, rising; one more is above all. Those of `scores` if left out."""


class Beginning(Section, frozen=True, kw_only=True):
    """A text that entries of a block share, or its first letters."""

    field: ComparedText
    letters: Annotated[int, Meta(ge=0, le=64)] = 0
    """0 is all."""


class Block(Section, frozen=True, kw_only=True):
    """Which entries are looked at as possible pairs, beyond what `on` asks."""

    share: Annotated[tuple[Beginning, ...], Meta(max_length=4)] = ()
    amount_minor: Bound = 0
    amount_ppm: PartsPerMillion = 0
    """Of the larger amount; the wider of both bounds counts."""
    teaches: Annotated[tuple[ComparedField, ...], Meta(min_length=1)]
    """Fields of which sharing and bounds say little, so that weights can be learnt here."""


class Score(Measured, frozen=True, kw_only=True, tag_field="kind", tag="score"):
    """What is left, by weights that are learnt from the entries themselves."""

    name: Name
    on: Annotated[tuple[Field, ...], Meta(min_length=1)]
    compare: Annotated[tuple[Comparison, ...], Meta(min_length=1, max_length=COMPARISONS_MAX)] = (
        Comparison(field="amount_minor"),
        Comparison(field="date"),
        Comparison(field="reference"),
        Comparison(field="counterparty"),
        Comparison(field="text"),
        Comparison(field="text", measure="beginning"),
    )
    days_before: Days = 7
    """How much earlier the right entry may be than the left one."""
    days_after: Days = 7
    blocks: Annotated[tuple[Block, ...], Meta(max_length=16)] = ()
    """Without any, they are laid from the comparisons."""
    threshold_millibits: Annotated[int, Meta(ge=-MILLION, le=MILLION)] = 7_000
    """Thousandths of a bit: odds of a true pair above which two entries may match; 128 to 1."""


Pass = Net | Tolerance | Parts | Sum | Reversal | NetZero | Score


class Priority(Section, frozen=True, kw_only=True):
    """Which breaks come first: the first of these that fits says it."""

    priority: Annotated[int, Meta(ge=1, le=5)]
    """1 is the highest."""
    over_minor: Minor = 0
    over_days: Days = 0


class Breaks(Section, frozen=True, kw_only=True):
    """How what does not match is told."""

    ageing_days: tuple[Days, ...] = (1, 3, 10, 30)
    """Upper ends of the classes of age, in business days; one more is without end."""
    priorities: tuple[Priority, ...] = ()


class RuleBook(Section, frozen=True, kw_only=True):
    """A rule file."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    sides: Annotated[tuple[Side, ...], Meta(min_length=2, max_length=SIDES_MAX)]
    pairs: Annotated[tuple[SidePair, ...], Meta(max_length=PAIRS_MAX)] = ()
    """Without any, the other sides are each matched with the first."""
    passes: Annotated[tuple[Pass, ...], Meta(min_length=1, max_length=PASSES_MAX)]
    calendar: Calendar = Calendar()
    window: Window | None = None
    """Without it, all entries are of one window."""
    references: References = References()
    rates: Rates | None = None
    breaks: Breaks = Breaks()
