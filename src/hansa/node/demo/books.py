"""The demo's loans in the books of the banks that lend, and the faults that are planted in them.

Harbour Bank lends through its application, and each loan is also a partner's: of whatever is paid
out and paid back the partner has 80 %, rounded down to the cent, and the platform the rest. Both
enter the partner's share, each in its own books: what comes in for one goes out for the other.

Who keeps the books never sees the faults: they are told apart, and compared with what was found
afterwards. Days are counted from the first of three; of the first two all is entered.

Source: WeBank's syndicated micro-loans, of which partner banks fund four fifths.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import NamedTuple

from hansa.node.demo.run import LendingReport
from hansa.node.demo.town import ASSET, HARBOUR, ISLAND, MEADOW, RIVER, derive_seed
from hansa.reconcile.batch.diagnosing import BreakClass
from hansa.reconcile.entries import Entry
from hansa.reconcile.stream.closing import Group, Outcome, list_healed
from hansa.reconcile.stream.entries import read_entry
from hansa.reconcile.stream.terms import Place

PARTNERS = (RIVER, ISLAND, MEADOW)
NAMES = {
    HARBOUR: "Harbour Bank",
    RIVER: "River Bank",
    ISLAND: "Island Bank",
    MEADOW: "Meadow Bank",
}
PARTNER_PERCENT = 80
PAIR = 2
"""Entries."""
DAYS = 3
"""The day before yesterday, yesterday, and today."""
TODAY = DAYS - 1
PRINCIPAL_MINOR = (50_000, 500_000)
"""Least and most that is lent: 500.00 to 5,000.00."""


class Fault(StrEnum):
    """What goes wrong in one bank's books."""

    MISSING = "missing"
    LATE = "late"
    """Entered a day too late."""
    AMOUNT = "amount"
    """Two digits changed places."""
    DOUBLED = "doubled"
    DATE = "date"
    """Of the day after."""
    SPLIT = "split"
    """In three parts, each rounded down: a cent or two are lost."""


_KINDS = {
    Fault.MISSING: BreakClass.MISSING_LEFT,
    Fault.LATE: BreakClass.MISSING_LEFT,
    Fault.AMOUNT: BreakClass.AMOUNT,
    Fault.DOUBLED: BreakClass.DUPLICATE,
    Fault.DATE: BreakClass.DATE,
    Fault.SPLIT: BreakClass.SPLIT,
}
"""As what each must be found; missing on the right, where it is the partner who lacks it."""

PLANS: dict[tuple[int, int], tuple[Fault, ...]] = {
    (RIVER, 0): (Fault.MISSING, Fault.LATE),
    (ISLAND, 1): (Fault.AMOUNT, Fault.DOUBLED, Fault.DATE),
    (MEADOW, 1): (Fault.SPLIT, Fault.MISSING, Fault.AMOUNT),
}
"""What is planted, by partner and day. What is missing on the first day is entered on the second,
once both banks have resolved its case."""


class Movement(NamedTuple):
    """Something paid out or paid back, as the two banks share it."""

    reference: str
    partner: int
    day: int
    is_paid_out: bool
    amount_minor: int

    @property
    def partner_minor(self) -> int:
        """The partner's share; the platform bears what does not divide.

        Example:
          >>> Movement("L0001-0", RIVER, 0, True, 10_001).partner_minor
          8000
        """
        return self.amount_minor * PARTNER_PERCENT // 100


class Planted(NamedTuple):
    """A fault, as it must be found."""

    partner: int
    fault: Fault
    day: int
    """On which it shows first."""
    kind: BreakClass
    left: frozenset[Entry]
    """As the platform entered them; `bank_reference` is left out of all."""
    right: frozenset[Entry]
    healed_day: int | None = None
    """On which it matches after all; None if it stays."""

    @property
    def group(self) -> tuple[str, frozenset[Entry], frozenset[Entry]]:
        """What is compared with a break."""
        return self.kind.value, self.left, self.right


class Correction(NamedTuple):
    """What a bank enters once it has agreed to."""

    partner: int
    place: Place
    """Whose books they are."""
    entry: Entry


@dataclass(slots=True)
class Books:
    """What the banks enter, by partner, whose books they are, and day."""

    loans: int
    days: defaultdict[tuple[int, Place, int], list[Entry]] = field(
        default_factory=lambda: defaultdict(list)
    )
    corrections: list[Correction] = field(default_factory=list)
    """What cases make banks enter on the second day."""
    withheld: Entry | None = None
    """Of River Bank's loans, what the platform has not entered today, and somebody may."""


def write_books(seed: int, loans: int, first_day: int) -> tuple[Books, list[Planted]]:
    """Write the books of all banks, and tell apart what is planted in them.

    Args:
      seed: of the town.
      loans: how many there are.
      first_day: in days since 1970-01-01.
    """
    chance = random.Random(derive_seed(seed, "lending"))  # noqa: S311 - a demo's loans
    movements: dict[tuple[int, int], list[Movement]] = defaultdict(list)
    for each in _draw_movements(chance, loans):
        movements[each.partner, each.day].append(each)
    books, planted = Books(loans), []
    writer = _Writer(books, first_day, chance)
    is_parted = False
    for key, group in sorted(movements.items()):
        faults = PLANS.get(key, ())
        chosen = chance.sample(group, min(len(faults), len(group)))
        spoilt = dict(zip([each.reference for each in chosen], faults, strict=False))
        for each in group:
            fault = spoilt.get(each.reference)
            if fault is not None:
                planted.append(writer.spoil(each, fault))
            elif key == (MEADOW, 1) and not is_parted:
                writer.enter_in_parts(each)
                is_parted = True
            else:
                writer.enter(each)
    today = books.days[RIVER, Place.LEFT, TODAY]
    books.withheld = today.pop() if today else None
    return books, planted


def judge(planted: Iterable[Planted], outcomes: Mapping[tuple[int, int], Outcome]) -> LendingReport:
    """Hold what came out of windows, by partner and day, against what was planted."""
    planted = list(planted)
    report = LendingReport(planted=len(planted))
    before: dict[int, Outcome] = {}
    for (partner, day), outcome in sorted(outcomes.items(), key=lambda each: each[0][1]):
        expected = {
            each.group: each
            for each in planted
            if each.partner == partner
            and each.day <= day
            and (each.healed_day is None or day < each.healed_day)
        }
        for group in outcome.breaks:
            each = expected.get(_read_group(group))
            if each is None:
                report.wrong += 1
            elif each.day == day:
                report.found += 1
                report.breaks[group.label] += 1
        if partner in before:
            report.healed += len(list_healed(before[partner].breaks, outcome.breaks))
        before[partner] = outcome
        several = [each for each in outcome.matches if len(each.left) + len(each.right) > PAIR]
        report.matched += outcome.pairs + len(several)
    return report


class _Writer:
    """Writes movements into both banks' books, rightly or not."""

    def __init__(self, books: Books, first_day: int, chance: random.Random) -> None:
        self._books = books
        self._first_day = first_day
        self._chance = chance
        self._numbers = count(1)

    def enter(self, movement: Movement) -> None:
        """Enter a movement as both have it."""
        for place in Place:
            self._put(movement, place, self._express(movement, place))

    def enter_in_parts(self, movement: Movement) -> None:
        """Enter a movement as two postings of the partner, as the rules allow."""
        self._put(movement, Place.LEFT, self._express(movement, Place.LEFT))
        whole = self._express(movement, Place.RIGHT)
        first_minor = whole.amount_minor // 2
        for number, amount_minor in enumerate((first_minor, whole.amount_minor - first_minor), 1):
            self._put(movement, Place.RIGHT, _name_part(whole, number, amount_minor))

    def spoil(self, movement: Movement, fault: Fault) -> Planted:
        """Enter a movement rightly at one bank, and wrongly at the other."""
        wrong = self._chance.choice(list(Place))
        right = self._express(movement, wrong.other)
        self._put(movement, wrong.other, right)
        own = self._express(movement, wrong)
        kind, entered = _KINDS[fault], self._list_wrong(movement, fault, own)
        for each in entered:
            self._put(movement, wrong, each)
        told: dict[Place, list[Entry]] = {wrong: entered, wrong.other: [right]}
        healed_day = None
        if fault is Fault.DOUBLED:
            told = {wrong: entered[:1], wrong.other: []}
        if not entered:
            kind = BreakClass.MISSING_LEFT if wrong is Place.LEFT else BreakClass.MISSING_RIGHT
            healed_day = self._enter_later(movement, wrong, fault, own)
        left, right_side = (frozenset(map(_plain, told[place])) for place in Place)
        return Planted(movement.partner, fault, movement.day, kind, left, right_side, healed_day)

    def _enter_later(
        self, movement: Movement, wrong: Place, fault: Fault, own: Entry
    ) -> int | None:
        """Enter on the next day what a bank has missed, at once or once a case asks it to."""
        next_day = movement.day + 1
        if next_day >= TODAY:
            return None
        late = own._replace(booking_date=self._first_day + next_day)
        if fault is Fault.LATE:
            self._books.days[movement.partner, wrong, next_day].append(late)
        else:
            self._books.corrections.append(Correction(movement.partner, wrong, late))
        return next_day

    def _list_wrong(self, movement: Movement, fault: Fault, own: Entry) -> list[Entry]:
        """List what a bank enters instead of the right entry."""
        if fault is Fault.AMOUNT:
            sign = 1 if own.amount_minor > 0 else -1
            return [own._replace(amount_minor=sign * _swap_digits(abs(own.amount_minor)))]
        if fault is Fault.DATE:
            return [own._replace(value_date=self._first_day + movement.day + 1)]
        if fault is Fault.DOUBLED:
            return [own, own._replace(bank_reference=self._number(movement.partner))]
        if fault is Fault.SPLIT:
            return _split(own)
        return []

    def _express(self, movement: Movement, place: Place) -> Entry:
        """Express a movement as one of the banks has it."""
        comes_in = movement.is_paid_out is (place is Place.LEFT)
        day = self._first_day + movement.day
        share_minor = movement.partner_minor
        return Entry(
            account=f"CO-LENDING {NAMES[movement.partner]}",
            currency=ASSET,
            amount_minor=share_minor if comes_in else -share_minor,
            booking_date=day,
            value_date=day,
            reference=movement.reference,
            bank_reference=self._number(movement.partner),
            counterparty=NAMES[movement.partner if place is Place.LEFT else HARBOUR],
            text="loan paid out" if movement.is_paid_out else "instalment",
        )

    def _put(self, movement: Movement, place: Place, entry: Entry) -> None:
        self._books.days[movement.partner, place, movement.day].append(entry)

    def _number(self, partner: int) -> str:
        return f"{partner}{next(self._numbers):08}"


def _plain(entry: Entry) -> Entry:
    """Leave out of an entry how its bank numbers it: copies differ in that alone."""
    return entry._replace(bank_reference="")


def _read_group(group: Group) -> tuple[str, frozenset[Entry], frozenset[Entry]]:
    left, right = (
        frozenset(_plain(read_entry(raw)) for raw in side) for side in (group.left, group.right)
    )
    return group.label, left, right


def _swap_digits(amount_minor: int) -> int:
    """Let the last two neighbouring digits that differ change places; 9 more if none do.

    Example:
      >>> _swap_digits(12_344), _swap_digits(800), _swap_digits(77)
      (12434, 80, 86)
    """
    digits = list(str(amount_minor))
    for at in range(len(digits) - 1, 0, -1):
        if digits[at] != digits[at - 1]:
            digits[at], digits[at - 1] = digits[at - 1], digits[at]
            return int("".join(digits))
    return amount_minor + 9


def _split(entry: Entry) -> list[Entry]:
    """Split an entry into parts that are rounded down, so that they are less than the whole."""
    sign = 1 if entry.amount_minor > 0 else -1
    parts = next(each for each in count(3) if entry.amount_minor % each)
    part_minor = abs(entry.amount_minor) // parts
    return [_name_part(entry, number + 1, sign * part_minor) for number in range(parts)]


def _name_part(entry: Entry, number: int, amount_minor: int) -> Entry:
    return entry._replace(
        amount_minor=amount_minor,
        reference=f"{entry.reference}/{number}",
        bank_reference=f"{entry.bank_reference}.{number}",
    )


def _draw_movements(chance: random.Random, loans: int) -> Iterator[Movement]:
    """Draw loans: each is paid out on one day, and a tenth with interest comes back on the next."""
    for number in range(loans):
        partner = PARTNERS[number % len(PARTNERS)]
        begun = number // len(PARTNERS) % DAYS
        principal_minor = chance.randint(*PRINCIPAL_MINOR)
        for place, day in enumerate(range(begun, DAYS)):
            amount_minor = principal_minor
            if place:
                amount_minor = principal_minor // 10 + chance.randint(100, 999)
            yield Movement(f"L{number + 1:05}-{place}", partner, day, place == 0, amount_minor)
