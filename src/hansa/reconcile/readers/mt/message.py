"""A message as it is read: what its frame says, what was counted, and what is missing at its end.

Source: SWIFT Standards MT, category 9, MT940 and MT942 format specifications.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hansa.reconcile.entries import Fault, Finding, Kind, Severity, Statement
from hansa.reconcile.readers.mt.balance import Balance, Total
from hansa.reconcile.readers.parts import PartBuilder

REPORT_TYPES = {"941", "942"}
"""Messages of a day that goes on."""


@dataclass(slots=True)
class Sum:
    """How many movements there were in a direction, and how much."""

    count: int = 0
    amount_minor: int = 0

    def add(self, amount_minor: int) -> None:
        """Count one movement."""
        self.count += 1
        self.amount_minor += abs(amount_minor)


@dataclass(slots=True)
class Message:
    """A message that is open: one statement, or one page of it."""

    line: int
    type: str = ""
    """`940`, `942`, as its header says; empty without one."""
    id: str = ""
    account: str = ""
    currency: str = ""
    """Of the account, as the first balance or floor limit says; empty as long as none did."""
    stated_currency: str = ""
    """That stands behind the account in `:25:`."""
    number: int | None = None
    page: int | None = None
    opening: Balance | None = None
    closing: Balance | None = None
    is_page: bool = False
    """Whether a balance is an intermediate one."""
    to_date: int | None = None
    seen: set[str] = field(default_factory=set)
    """Tags, without the letter of their option, that were there."""
    told: set[str] = field(default_factory=set)
    """What is told once a statement."""
    totals: dict[str, Total] = field(default_factory=dict)
    """By `C` and `D`, as the bank tells them."""
    booked: dict[str, Sum] = field(default_factory=lambda: {"C": Sum(), "D": Sum()})
    expected: dict[str, Sum] = field(default_factory=lambda: {"C": Sum(), "D": Sum()})

    @property
    def is_report(self) -> bool:
        """Whether it is of a day that goes on."""
        if self.type:
            return self.type in REPORT_TYPES
        return bool(self.seen & {"13", "34", "90"}) and not self.seen & {"60", "62"}

    def find_currency(self, usual: str) -> str:
        """Find the account's currency; `usual` where nothing in the message tells it."""
        return self.currency or self.stated_currency or usual

    def close(self, builder: PartBuilder, usual: str) -> None:
        """Report what is missing or does not add up, and end the statement.

        Args:
          builder: gets it.
          usual: currency where nothing in the message tells it.
        """
        self._check_fields(builder)
        for direction, total in self.totals.items():
            self._check_total(builder, direction, total)
        builder.end_statement(self._build_statement(usual))

    def _build_statement(self, usual: str) -> Statement:
        opening, closing = self.opening, self.closing
        return Statement(
            kind=Kind.REPORT if self.is_report else Kind.STATEMENT,
            account=self.account,
            currency=self.find_currency(usual),
            id=self.id,
            number=self.number,
            page=(self.page or 1) if self.is_page else self.page if self.is_report else None,
            from_date=opening.date if opening else None,
            to_date=closing.date if closing else self.to_date,
            opening_minor=opening.amount_minor if opening else None,
            closing_minor=closing.amount_minor if closing else None,
            line=self.line,
        )

    def _check_fields(self, builder: PartBuilder) -> None:
        missing = [f":{tag}:" for tag in ("20", "25", "28") if tag not in self.seen]
        if missing:
            builder.warn(
                Fault.MISSING,
                self.line,
                missing[0],
                f"a statement must have {', '.join(missing)}, and this has none: whose it is, or "
                "which one, cannot be known",
            )
        if self.is_report:
            return
        for tag, name in (("60", "opening"), ("62", "closing")):
            if tag not in self.seen:
                builder.report(
                    Fault.MISSING,
                    self.line,
                    f":{tag}F:",
                    f"the statement has no {name} balance: it is a fragment, or was cut off, and "
                    "entries may be missing. Ask for it again",
                )

    def _check_total(self, builder: PartBuilder, direction: str, total: Total) -> None:
        booked, expected = self.booked[direction], self.expected[direction]
        told = (total.movements, total.amount_minor)
        for count, amount in (
            (booked.count, booked.amount_minor),
            (booked.count + expected.count, booked.amount_minor + expected.amount_minor),
        ):
            if told in {(count, amount), (None, amount)}:
                return
        builder.add_finding(
            Finding(
                Severity.WARNING,
                Fault.COUNT,
                self.line,
                f":90{direction}:",
                f"the bank tells {total.movements} movements of {total.amount_minor} minor units; "
                f"{booked.count} of {booked.amount_minor} were read, and {expected.count} "
                f"expected ones of {expected.amount_minor}",
            )
        )
