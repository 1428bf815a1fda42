"""The desk of a bank's pairs: takes what its operators bring, and tells how things stand.

What the API answers is built here, out of what the service and the ledger say. It needs the
libraries of reconciliation; whoever may not have them imports it where there is a service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

from hansa.contracts.reconciliation.cases import Case, Kind
from hansa.contracts.reconciliation.positions import Position
from hansa.contracts.reconciliation.windows import Progress
from hansa.kernel.calendar import YEAR_MAX, civil_from_days, day_number
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.kernel.machine.state import Reader
from hansa.node.api.handlers.reconciliation import (
    tell_agreement,
    tell_case,
    tell_position,
    tell_window,
)
from hansa.node.reconcile.proposing import PROPOSALS_MAX
from hansa.node.reconcile.service import BreakView, PairService, PairView, WindowView
from hansa.node.service import Node
from hansa.reconcile.batch.ageing import Age, Ageing
from hansa.reconcile.entries import Entry
from hansa.reconcile.rules.calendars import BusinessDays
from hansa.reconcile.rules.windows import find_window
from hansa.reconcile.stream.adding import Origin
from hansa.reconcile.stream.closing import Group, NetAmount, Outcome
from hansa.reconcile.stream.entries import read_entries, read_entry, require_near
from hansa.reconcile.stream.pair import PairStream
from hansa.reconcile.stream.proposals import Proposal
from hansa.reconcile.stream.terms import Pair
from hansa.sdk.reconciliation import pair_answers as told

T = TypeVar("T")

KINDS: Final[Mapping[Kind, told.ProposalKind]] = MappingProxyType(
    {
        Kind.CORRECT: "correct",
        Kind.WRITE_OFF: "write_off",
        Kind.REVERSE: "reverse",
        Kind.DISPUTE: "dispute",
    }
)
DAY_AHEAD = 1
"""Midnight comes earlier elsewhere: a window may be complete that begins tomorrow here."""


Filters = tuple[str | None, str | None, int | None, bool | None]


class BreakFilter(NamedTuple):
    """Which breaks are asked for; what is None does not matter."""

    kind: str | None = None
    currency: str | None = None
    age_days: int | None = None
    """At least."""
    has_case: bool | None = None


class PairDesk:
    """Acts and answers for the operators of one bank.

    All methods that take an agreement raise `NotFound` where the bank has none of that id.

    Args:
      node: that the bank's service is part of.
      service: of the bank.
    """

    def __init__(self, node: Node, service: PairService) -> None:
        self._rows = Reader(node.chain.machine.state)
        self._digest = node.chain.network.digest
        self._service = service

    # --- what operators bring ---------------------------------------------------------------------

    async def share_terms(self, raw: bytes) -> told.PairDetails:
        """Keep terms and send them to the other bank; raises as `PairService.share_terms`."""
        pair = await self._service.share_terms(raw)
        return self.get_pair(pair.agreement, 0)

    async def add(
        self, agreement: bytes, raw: bytes, origin: tuple[bytes, int] | None
    ) -> told.AddedEntries:
        """Add entries as they travel; raises as `PairService.add`, and `Invalid` as `read_entries`.

        Args:
          agreement: whose they are.
          raw: an array of entries.
          origin: the fields of an `Origin`, if they are to be added once.

        Raises:
          Invalid: one of them is dated more than `DAYS_AHEAD_MAX` days ahead.
        """
        pair = self._service.get_stream(agreement).pair
        named = None if origin is None else Origin(*origin)
        entries = read_entries(raw)
        require_near(entries, self._find_today(pair))
        added = await self._service.add(agreement, entries, named)
        return told.AddedEntries(
            taken=added.taken, left_out=added.left_out, repeated=added.repeated
        )

    async def complete(self, agreement: bytes, number: int) -> told.PairDetails:
        """Say that all entries of the windows below a number are added; it cannot be taken back.

        Raises:
          Invalid: one of them has not begun yet.
        """
        pair = self._service.get_stream(agreement).pair
        current = find_window(pair.window, self._find_today(pair) + DAY_AHEAD, None)
        if number > current + 1:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"window {number - 1} has not begun: complete windows below {current + 1} at most, "
                "for it cannot be taken back",
            )
        await self._service.complete(agreement, number)
        return self.get_pair(agreement, 0)

    async def share_proposal(
        self,
        agreement: bytes,
        case_id: bytes,
        content: tuple[Kind, str, int],
        salt: bytes,
    ) -> told.SharedProposal:
        """Keep a proposal - kind, words and amount - and send it to the other bank.

        Raises:
          NotFound: there is neither a case nor a break of that id.
          Invalid: the case has as many proposals as are kept.
        """
        case, _ = self._find_case(agreement, case_id)
        kind, words, amount_minor = content
        proposal = Proposal(1, agreement, case_id, kind, words, amount_minor, salt)
        others = {
            each.compute_terms(self._digest)
            for each in self._service.list_proposals(agreement, case_id)
        }
        terms = proposal.compute_terms(self._digest)
        if len(others - {terms}) >= PROPOSALS_MAX:
            raise Invalid(
                InvalidCode.TOO_MANY,
                f"there are {PROPOSALS_MAX} proposals for this case already: propose one of them",
            )
        await self._service.share_proposal(agreement, proposal)
        return _tell_proposal(proposal, terms, case)

    # --- how things stand -------------------------------------------------------------------------

    def list_pairs(self) -> told.Pairs:
        """List the bank's agreements, by their ids."""
        views = self._service.list_pairs()
        return told.Pairs(pairs=[self._tell_pair(each) for each in views])

    def get_pair(self, agreement: bytes, windows: int) -> told.PairDetails:
        """Get an agreement with its terms, and its newest windows."""
        view = self._service.get_pair(agreement, windows)
        pair = self._tell_pair(view)
        return told.PairDetails(
            agreement=pair.agreement,
            name=pair.name,
            place=pair.place,
            other=pair.other,
            on_ledger=pair.on_ledger,
            completed=pair.completed,
            trouble=pair.trouble,
            terms=_tell_terms(view.pair),
            windows=[_tell_window(view.pair, each) for each in view.windows],
        )

    def get_window(self, agreement: bytes, number: int) -> told.PairWindow:
        """Get one window."""
        pair = self._service.get_stream(agreement).pair
        return _tell_window(pair, self._service.get_window(agreement, number))

    def list_matches(self, agreement: bytes, number: int, after: int, limit: int) -> told.Matches:
        """List matches of a window that were shown to the other bank.

        Raises:
          NotFound: nothing came out of it yet, or it is not kept.
        """
        outcome = self._service.get_stream(agreement).find_outcome(number)
        if outcome is None:
            raise NotFound(f"nothing came out of window {number} yet")
        page, following = _cut(outcome.matches, after, limit)
        return told.Matches(matches=[_tell_match(each) for each in page], next=following)

    def list_breaks(
        self, agreement: bytes, filters: Filters, after: int, limit: int
    ) -> told.Breaks:
        """List breaks that are open and fit the fields of a `BreakFilter`.

        O(n) of all that are open.
        """
        wanted = BreakFilter(*filters)
        ageing = self._open_ageing(self._service.get_stream(agreement).pair)
        outcome = self._service.find_newest(agreement)
        views = self._service.list_breaks(agreement)
        fitting = [each for each in views if _fits(each, wanted, ageing)]
        page, following = _cut(fitting, after, limit)
        return told.Breaks(
            window=None if outcome is None else outcome.window,
            breaks=[_tell_break(each, ageing) for each in page],
            next=following,
        )

    def list_cases(
        self, agreement: bytes, state: str | None, after: int, limit: int
    ) -> told.PairCases:
        """List the cases of an agreement, the newest first."""
        rows = self._service.list_cases(agreement)
        found = [tell_case(row) for row in rows if state in {None, row.state.name.lower()}]
        page, following = _cut(found, after, limit)
        return told.PairCases(cases=list(page), next=following)

    def get_case(self, agreement: bytes, case_id: bytes) -> told.CaseDetails:
        """Get a case with both sides of its break, and all that was proposed.

        Raises:
          NotFound: there is neither a case nor a break of that id.
        """
        case, view = self._find_case(agreement, case_id)
        ageing = self._open_ageing(self._service.get_stream(agreement).pair)
        proposals = self._service.list_proposals(agreement, case_id)
        return told.CaseDetails(
            id=case_id.hex(),
            case=None if case is None else tell_case(case),
            found=None if view is None else _tell_break(view, ageing),
            proposals=[
                _tell_proposal(each, each.compute_terms(self._digest), case) for each in proposals
            ],
        )

    def list_positions(self, agreement: bytes, after: int, limit: int) -> told.PairPositions:
        """List net positions by window, the newest first."""
        stream = self._service.get_stream(agreement)
        found = list(islice(self._service.iterate_positions(agreement), after + limit + 1))
        page, following = _cut(found, after, limit)
        return told.PairPositions(
            positions=[_tell_position(stream, *each) for each in page], next=following
        )

    def get_position(self, agreement: bytes, window: int, asset: str) -> told.PairPosition:
        """Get a net position; raises `NotFound` where there is none."""
        stream = self._service.get_stream(agreement)
        progress = self._rows.get(Progress, agreement)
        outcome = stream.find_outcome(window)
        if progress is not None and outcome is not None and window < progress.agreed:
            for net in outcome.nets:
                if net.currency == asset:
                    row = self._rows.get(Position, agreement, window, asset)
                    return _tell_position(stream, window, net, row)
        raise NotFound(f"nothing matched in {asset} in window {window}, or it is not agreed on yet")

    # --- private ----------------------------------------------------------------------------------

    def _tell_pair(self, view: PairView) -> told.Pair:
        return told.Pair(
            agreement=view.agreement.hex(),
            name=view.pair.book.name,
            place="left" if view.place == 0 else "right",
            other=to_text(view.pair.get_bank(view.place.other)),
            on_ledger=None if view.row is None else tell_agreement(self._rows, view.row),
            completed=view.completed,
            trouble=view.trouble,
        )

    def _find_case(self, agreement: bytes, case_id: bytes) -> tuple[Case | None, BreakView | None]:
        view = self._service.find_break(agreement, case_id)
        case = self._rows.get(Case, agreement, case_id)
        if case is None and view is None:
            raise NotFound(f"there is neither a case nor a break {case_id.hex()}")
        return case, view

    def _find_today(self, pair: Pair) -> int:
        return day_number(self._service.clock_ms(), pair.book.calendar.offset_minutes)

    def _open_ageing(self, pair: Pair) -> Ageing:
        book = pair.book
        return Ageing(book.breaks, BusinessDays(book.calendar), self._find_today(pair))


def _cut(items: Sequence[T], after: int, limit: int) -> tuple[Sequence[T], int | None]:
    """Cut a page out of a list; returns where the next one begins, if there is one."""
    end = after + limit
    return items[after:end], end if end < len(items) else None


def _fits(view: BreakView, wanted: BreakFilter, ageing: Ageing) -> bool:
    """Whether a break is one of those that are asked for; its entries are read only if need be."""
    group = view.group
    if wanted.kind is not None and group.label != wanted.kind:
        return False
    if wanted.has_case is not None and (view.case is not None) != wanted.has_case:
        return False
    if wanted.currency is None and wanted.age_days is None:
        return True
    entries = [read_entry(each) for each in (*group.left, *group.right)]
    if wanted.currency is not None and all(wanted.currency != each.currency for each in entries):
        return False
    age = _tell_age(entries, ageing)
    return wanted.age_days is None or (age is not None and age.days >= wanted.age_days)


def _tell_age(entries: Iterable[Entry], ageing: Ageing) -> Age | None:
    """Tell how old a break of these entries is; None where none has a date."""
    dates = [each.booking_date if each.value_date is None else each.value_date for each in entries]
    oldest = min((each for each in dates if each is not None), default=None)
    return None if oldest is None else ageing.tell_age(oldest)


def _tell_break(view: BreakView, ageing: Ageing) -> told.Break:
    group = view.group
    left, right = ([read_entry(each) for each in side] for side in (group.left, group.right))
    age = _tell_age((*left, *right), ageing)
    amounts = [each.amount_minor for each in (*left, *right)]
    return told.Break(
        id=group.id.hex(),
        window=view.window,
        kind=group.label,
        reason=group.reason,
        age_days=None if age is None else age.days,
        age=None if age is None else age.label,
        priority=ageing.tell_priority(amounts, 0 if age is None else age.days),
        left=[_tell_entry(each) for each in left],
        right=[_tell_entry(each) for each in right],
        case=None if view.case is None else tell_case(view.case),
    )


def _tell_match(group: Group) -> told.Match:
    left, right = (
        [_tell_entry(read_entry(each)) for each in side] for side in (group.left, group.right)
    )
    return told.Match(rule=group.label, reason=group.reason, left=left, right=right)


def _tell_entry(entry: Entry) -> told.PairEntry:
    return told.PairEntry(
        account=entry.account,
        currency=entry.currency,
        amount_minor=str(entry.amount_minor),
        booking_date=_tell_date(entry.booking_date),
        value_date=_tell_date(entry.value_date),
        reference=entry.reference,
        bank_reference=entry.bank_reference,
        transaction_id=entry.transaction_id,
        counterparty=entry.counterparty,
        counterparty_account=entry.counterparty_account,
        text=entry.text,
        code=entry.code,
        batch=entry.batch,
        is_reversal=entry.is_reversal,
        status=entry.status.value,
        original_currency=entry.original_currency,
        original_minor=_tell_amount(entry.original_minor),
        charges_minor=_tell_amount(entry.charges_minor),
    )


def _tell_amount(minor: int | None) -> str | None:
    return None if minor is None else str(minor)


def _tell_date(day: int | None) -> str | None:
    return None if day is None else _write_date(day)


def _write_date(day: int) -> str:
    """Write a date by ISO 8601; entries of other banks may be of any year."""
    year, month, of_month = civil_from_days(day)
    rest = f"-{month:02}-{of_month:02}"
    return f"{year:04}" + rest if 0 <= year <= YEAR_MAX else f"{year:+07}" + rest


def _tell_terms(pair: Pair) -> told.PairTerms:
    proposal = pair.proposal
    return told.PairTerms(
        terms=proposal.terms.hex(),
        left=to_text(proposal.left),
        right=to_text(proposal.right),
        from_day=proposal.from_day,
        window_days=proposal.window_days,
        keep_days=proposal.keep_days,
        assets=list(pair.terms.assets),
        rules=pair.terms.rules.decode(errors="replace"),
        rates=pair.terms.rates.decode(errors="replace"),
    )


def _tell_window(pair: Pair, view: WindowView) -> told.PairWindow:
    first = pair.proposal.from_day + view.number * pair.window.days
    row, outcome = view.row, view.outcome
    return told.PairWindow(
        agreement=pair.agreement.hex(),
        window=view.number,
        from_date=_write_date(first),
        to_date=_write_date(first + pair.window.days - 1),
        waiting=view.waiting,
        on_ledger=None if row is None else tell_window(row),
        outcome=None if outcome is None else _tell_outcome(outcome),
    )


def _tell_outcome(outcome: Outcome) -> told.PairOutcome:
    return told.PairOutcome(
        left_entries=outcome.left_entries,
        right_entries=outcome.right_entries,
        pairs=outcome.pairs,
        matches=dict(Counter(each.label for each in outcome.matches)),
        breaks=dict(Counter(each.label for each in outcome.breaks)),
        nets=[
            told.Net(currency=each.currency, entries=each.entries, net_minor=str(each.net_minor))
            for each in outcome.nets
        ],
        result=outcome.result.hex(),
    )


def _tell_position(
    stream: PairStream, window: int, net: NetAmount, row: Position | None
) -> told.PairPosition:
    opening = stream.open_position(net, window)
    return told.PairPosition(
        agreement=opening.agreement.hex(),
        window=window,
        asset=net.currency,
        entries=net.entries,
        net_minor=str(net.net_minor),
        payer=to_text(opening.payer),
        amount_minor=str(opening.amount_minor),
        salt=opening.salt.hex(),
        on_ledger=None if row is None else tell_position(row),
    )


def _tell_proposal(proposal: Proposal, terms: bytes, case: Case | None) -> told.SharedProposal:
    standing = set() if case is None else {case.terms, case.disputed}
    return told.SharedProposal(
        terms=terms.hex(),
        kind=KINDS[proposal.kind],
        words=proposal.words,
        amount_minor=str(proposal.amount_minor),
        is_current=terms in standing,
    )
